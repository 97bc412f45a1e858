(defun other (message) message)
