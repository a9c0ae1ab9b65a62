"""Files of Python code: scripts and notebooks that run themselves, and passes that are called.

* ``entry``: the door: a file or a text in, a Report out;
* ``programs``: the text of a file or notebook, ready to be run;
* ``passes``: forward and backward passes that a file holds, called and checked;
* ``costs``: the cost of a backward pass that takes labels, and a function of the file that computes it;
* ``asked``: functions checked at the arguments that the script itself gives them;
* ``elsewhere``: the points at which functions go other ways;
* ``unrun``: functions that work out derivatives and that nothing ran.
"""
