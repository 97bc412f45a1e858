(lambda (message context)
  (setf (gethash "marks" message) (concatenate 'vector (gethash "marks" message) (list (context-config context)))
        (gethash "last" message) (context-config context))
  message)
