"""What is wrong with a derivation that somebody wrote by hand: from a subject to findings.

The rooms, each of which imports from those above it only:

* ``values``: numbers and arrays at several points at once, and when two of them are equal
* ``text``: the user's text: its places, statements, names and functions of one expression
* ``observing``: the forward pass and the derivation side by side, what is true, and what each value is
* ``meaning``: what a value was meant to be, by its name and by what is done with it
* ``words``: true quantities as formulas in the user's own names
* ``walking``: line by line: right, wrong, or wrong only by what came before; and what would make a line right
* ``trying``: changes to lines of numbers, tried by the thousand
* ``effects``: changes to lines of arrays, judged by what they do to the whole pass
* ``telling``: from a mistake to its place, its words and its fix
* ``deciding``: which mistakes explain the results, which are believed, and what was not checked

``engine`` goes through them all, and is where to begin.
"""
