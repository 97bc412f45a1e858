(lambda (message context)
  (context-set context "n" (1+ (context-get context "n" 0)))
  (when (and (equal message "bad") (not (context-redelivered context))) (error "not yet"))
  (list message (context-get context "n")))
