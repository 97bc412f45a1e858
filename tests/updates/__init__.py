"""Hot update: what is promised, under load, failure and kill -9."""
