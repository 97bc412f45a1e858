(lambda (message context)
  (context-set context "n" (1+ (context-get context "n" 0)))
  (context-send context "out" message)
  (when (equal message "bad")
    (error "no bad messages"))) ; HERE
