(lambda (message context)
  (declare (ignore context))
  (* message 2))
