"""Which mistakes explain the results, and which of them are believed.

* ``prepared``: what is worked out once for a subject
* ``outcomes``, ``standing``: what the results are, and how they stand
* ``weighing``, ``search``: what speaks against an answer, and the answer that least speaks against
* ``believing``: weak evidence accuses nobody alone
* ``unmoved``: gradients that are zero to the end, where parameters are moved by them
* ``stepping``, ``unapplied``: parameters moved another way than the others, or not at all
* ``truncation``: sums that end on purpose
* ``unchecked``: what was not recognised
* ``loss``: which step is the loss, where the script does not say
"""
