(lambda (message context)
  (declare (ignore message))
  (context-set context "n" (1+ (context-get context "n" 0))))
