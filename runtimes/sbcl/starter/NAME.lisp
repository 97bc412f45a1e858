;;; NAME: numbers the messages that come in.

(defun object (&rest keys-and-values)
  (let ((table (make-hash-table :test 'equal)))
    (loop for (key value) on keys-and-values by #'cddr do (setf (gethash key table) value))
    table))

;;; Called for every message, one at a time; what it returns leaves by the port `out`, NIL sends nothing.
(defun run (message context)
  (let ((count (1+ (context-get context "count" 0))))
    (context-set context "count" count)
    (object "count" count "message" message)))
