"""The user's text, as far as it can be read without running it.

* ``naming``: what the name of a variable says about the derivative that it holds
* ``seconds``: what it says about a second derivative
* ``abbreviations``: what is meant by short forms in such a name
* ``syntax``: its syntax tree, read once for all
* ``source``: places in the text, and the text with a repair put in
* ``comprehensions``: what is added up of a list
* ``statements``: statements, the loops around them, and the text with one of them moved
* ``spelling``: formulas as the script can run them: ``np.tanh``
* ``signs``: the sign that a wrong term has
* ``callees``: functions of one expression, and what a call of one read
* ``texts``, ``unread``: statements, what they read and set; what is worked out and used nowhere, or handed on
* ``kept``: what is put together under some names, and taken apart under the same
* ``fitting``: other texts for a line whose arrays do not fit together
* ``siblings``: values that are returned side by side, entries that are added to in one loop
* ``unpacking``, ``rounds``: what caches are unpacked to; what should change from one round of a loop to the next
* ``layers``: layers that the backward pass passes over
* ``rewordings``: slips that leave no trace in what was computed: the order of lines, of names that are unpacked
"""
