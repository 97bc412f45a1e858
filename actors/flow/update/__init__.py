"""An update of a flow that is under way."""
