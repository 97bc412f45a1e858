(lambda (message context)
  (declare (ignore message context))
  nil)
