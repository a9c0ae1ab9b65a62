"""In front of the package of this name, which builds its grammar for some seconds whenever jsonschema is imported.

That is optional for jsonschema, which checks the format "iri" with it: no notebook, and none of our schemas, has one.
"""

raise ImportError("left out of the tests")
