(defparameter *values* (make-hash-table :test 'equal))

(defun object (key value)
  (let ((table (make-hash-table :test 'equal)))
    (setf (gethash key table) value)
    table))

(defparameter *nan* (sb-kernel:make-double-float #x7ff80000 0))

(setf (gethash "nan" *values*) *nan*
      (gethash "infinity" *values*) sb-ext:double-float-positive-infinity
      (gethash "minus infinity" *values*) sb-ext:double-float-negative-infinity
      (gethash "nested" *values*) (object "a" (list 1 *nan*))
      (gethash "surrogate" *values*) (coerce (list #\a (code-char #xd800) #\b) 'string)
      (gethash "surrogate key" *values*) (object (string (code-char #xdc00)) 1)
      (gethash "date" *values*) "this language has no such value"
      (gethash "function" *values*) (object "f" #'car))

(lambda (message context)
  (declare (ignore context))
  (gethash message *values*))
