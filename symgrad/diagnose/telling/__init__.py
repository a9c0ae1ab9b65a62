"""From a mistake to its place in the text, its words, and the text that puts it right.

* ``frames``: from a root to what is shown
* ``where``: the characters that the carets stand under
* ``headlines``, ``precise``: the sentences about one mistake
* ``corrected``: how a place reads with a repair in it
* ``rounds``: formulas of one round of a loop, as all its rounds can say them
* ``folded``: parts of formulas in the names that the derivation has for them
* ``forgotten``, ``added``, ``undivided``: lines and terms that are to be put in
* ``remarks``: what there is to say that is no mistake
"""
