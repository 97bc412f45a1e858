(lambda (message context)
  (let ((count (1+ (context-get context "count" 0))))
    (context-set context "count" count)
    (vector (gethash "n" message) 1001 count)))
