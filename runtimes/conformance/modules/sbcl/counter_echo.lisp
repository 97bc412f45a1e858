(lambda (message context)
  (context-set context "n" (1+ (context-get context "n" 0)))
  message)
