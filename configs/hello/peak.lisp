;;; Keeps the highest load of the processor and says when it is beaten; most readings make no message.

(defun object (&rest keys-and-values)
  (let ((table (make-hash-table :test 'equal)))
    (loop for (key value) on keys-and-values by #'cddr do (setf (gethash key table) value))
    table))

(lambda (reading context)
  (let ((cpu (gethash "cpu_percent" reading))
        (peak (context-get context "peak")))
    (when (or (null peak) (> cpu peak))
      (context-set context "peak" cpu)
      (when peak
        (object "n" (gethash "n" reading) "peak" cpu "before" peak)))))
