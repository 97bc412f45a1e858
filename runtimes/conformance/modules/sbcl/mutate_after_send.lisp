(lambda (message context)
  (context-send context "out" message)
  (setf (gethash "marks" message) (concatenate 'vector (gethash "marks" message) (list "after send")))
  message)
