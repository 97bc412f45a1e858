(defparameter *name* "helper-one")
