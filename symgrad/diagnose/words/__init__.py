"""True quantities as formulas in the user's own names.

* ``formulas``: values of the forward pass and local derivatives
* ``wording``: contributions and gradients, in those that the user has
* ``through``: a derivative in the gradients that the user has by then
* ``numbers``: counts, as the user calls them
"""
