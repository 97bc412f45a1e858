;;;; NAME: numbers the messages that come in.

(defun run (message context)
  "Called for every message, one at a time; what it returns leaves by the port `out`."
  (let ((count (1+ (context-get context "count" 0)))
        (result (make-hash-table :test #'equal)))
    (context-set context "count" count)
    (setf (gethash "count" result) count
          (gethash "message" result) message)
    result))
