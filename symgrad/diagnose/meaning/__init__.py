"""What a value was meant to be. Names help, and never decide.

* ``following``: from a step to those that it is made of
* ``parameters``: what a function was given in one of its calls
* ``names``: which steps a name is called after
* ``reading``: what names stand for, and whether a value is that
* ``likely``: what a name in code with arrays may be short for
* ``carried``: derivatives of arrays that are carried forward, by a number
* ``directions``: derivatives of numbers, carried forward by what is worked out itself
* ``turns``: which of them is meant in one round of a loop
* ``shortened``: names that are cut short, where a value bears that out
* ``sensitivities``: derivatives with names of their own
* ``averages``: ``xbar``, where that is a mean
* ``symbols``: ``dS_dphi``, where S is no variable
* ``places``: lists of gradients, in the order of what they are of
* ``analogies``: names that are told by their likes
* ``functions``: ``df`` beside ``f``
* ``evidence``: what is done with a value whose name says nothing
* ``differences``: difference quotients, and what is compared with them
* ``moves``: ``w -= lr*g``: g is the gradient by w
* ``strides``: ``w -= lr*d*h``, where no line holds the gradient by itself
* ``updates``: what is done with a gradient once it is there
* ``clipping``: gradients that are only made smaller
* ``forces``: the negative derivatives of an energy
* ``joined``: numbers put together to one gradient
* ``residuals``: partial derivatives of what an implicit function makes zero
* ``curves``: slopes along a curve, and of inverse functions
* ``partials``: partial derivatives that hold fixed what is made of the others
* ``again``: values of the forward pass, worked out once more
* ``renaming``: ``db = dout``: one array, or one derivative, under two names
* ``unfinished``: what was still to be done where the run stopped
"""
