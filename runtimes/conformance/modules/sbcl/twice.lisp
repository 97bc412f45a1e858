(lambda (message context)
  (declare (ignore context))
  (list message message))
