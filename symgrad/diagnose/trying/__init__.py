"""Changes to the text of lines of numbers, tried by the thousand.

* ``typed``: changes to one operation, as functions of the values around it
* ``elements``: the elements of a sum over a comprehension
* ``roles``: what could be written in a line: variables, entries of lists, gradients, numbers
* ``hypothesis``: one change
* ``operations``, ``operands``, ``hypotheses``: the changes of an operation, of an operand, of a line
* ``written``, ``products``: what a loop has at hand, and products of that
* ``terms``, ``lines``: what is missing, made of those
* ``trials``: many changes as the columns of one array
* ``explain``: the few changes that make all results right
"""
