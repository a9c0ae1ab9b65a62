"""True quantities as formulas in the user's own names.

* ``wording``: local derivatives, contributions and gradients
* ``through``: a derivative in the gradients that the user has by then
* ``numbers``: counts, as the user calls them
"""
