"""The walk along the derivation: each line is judged as if the lines before it were right.

* ``places``: a line under repair and its sub-expressions
* ``aims``: what an assignment may have been meant to be, the likeliest first
* ``repair``, ``twofold``: the change, or two, that would make a line of numbers right
* ``products``, ``confusions``: what stands in a product; what is mistaken for what
* ``region``, ``offers``, ``changes``, ``otherwise``: the same for a line of arrays in all its rounds
* ``likeness``, ``choosing``: which of several changes is the likeliest
* ``verdicts``: what comes of a walk
* ``ground``, ``blame``: what a walk knows at each line, and the walk
"""
