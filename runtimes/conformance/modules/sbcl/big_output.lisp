(lambda (message context)
  (declare (ignore context))
  (make-string message :initial-element #\x))
