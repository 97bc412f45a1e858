;;; A module that does what its program says with the values it gets, makes and keeps: the words are in cases.py.
;;; Its config is {"programs": {CASE: [STEP, ...]}, "die": [CASE, ...], "part": VALUE}; a message tells its case.

(defvar *kept* '())

;; Literals are not changed: they would stay so, until a death.
(defun table-of (test &rest keys-and-values)
  (let ((table (make-hash-table :test test)))
    (loop for (key value) on keys-and-values by #'cddr
          do (setf (gethash (copy-seq key) table) (if (stringp value) (copy-seq value) value)))
    table))

(defun object (&rest keys-and-values) (apply #'table-of 'equal keys-and-values))

(defvar *table* (object "prices" (vector 20 (object "a" 1)) "name" "table"))

(defstruct point x)
(defclass plain () ((x :initform 1)))

(defun deep (levels)
  (let ((value 0))
    (dotimes (level levels value) (setf value (if (oddp level) (vector value) (object "d" value))))))

(defun cyclic-vector () (let ((v (vector 1 2))) (setf (svref v 1) v)))
(defun cyclic-table () (let ((h (object))) (setf (gethash "a" h) (vector h)) h))
(defun cyclic-list () (let ((l (list 1 2))) (setf (cddr l) l)))
(defun octets (&rest octets) (make-array (length octets) :element-type '(unsigned-byte 8) :initial-contents octets))
(defun filled (text) (make-array (length text) :element-type 'character :fill-pointer t :initial-contents text))

(defun infinity () (sb-kernel:make-double-float #x7ff00000 0))
(defun nan () (sb-kernel:make-double-float #x7ff80000 1))

(defmacro odd-values (name &rest clauses)
  `(cond ,@(loop for (key form) on clauses by #'cddr collect `((string= ,name ,key) ,form))
         (t (error "there is no ~a" ,name))))

(defun odd (name)
  (odd-values name
    "ratio" 1/3 "complex" #c(1 2) "symbol" 'text "keyword" :key "character" #\a "structure" (make-point) "instance" (make-instance 'plain)
    "function" #'deep "package" *package* "pathname" #p"/x" "condition" (make-condition 'error) "stream" *standard-output*
    "nan" (nan) "infinity" (list (infinity)) "minus_zero" -0d0 "tiny" 4.9406564584124654d-324 "huge" most-positive-double-float
    "tenth" 0.1d0 "single" 0.1f0 "single_half" (vector 0.5f0 1f-45) "whole" 1d15 "wide" 1d300 "int64" (1- (expt 2 63))
    "min_int64" (- (expt 2 63)) "over_int64" (expt 2 63) "below_int64" (- -1 (expt 2 63)) "int54" (1+ (expt 2 53))
    "surrogate" (string (code-char #xd800)) "surrogate_key" (object (string (code-char #xdc00)) 1)
    "nul" (coerce (list (code-char 0) (code-char #x2028) (code-char #x10ffff)) 'string) "base_text" (coerce "base" 'base-string)
    "filled_text" (filled "filled") "displaced" (make-array 2 :element-type 'character :displaced-to (copy-seq "displaced"))
    "int_key" (let ((h (make-hash-table))) (setf (gethash 1 h) 2) h) "symbol_key" (let ((h (object))) (setf (gethash 'a h) 1) h)
    "filled_key" (let ((h (object))) (setf (gethash (filled "k") h) 1) h) "eq_keys" (table-of 'eq "a" 1 "b" 2)
    "two_keys" (table-of 'eq "a" 1 "a" 2) "equalp_keys" (table-of 'equalp "a" 1 "B" 2) "list" (list 1 (list 2) nil t :null)
    "dotted" (cons 1 2) "alist" (list (cons "a" 1)) "bits" (make-array 3 :element-type 'bit :initial-contents '(1 0 1))
    "doubles" (make-array 2 :element-type 'double-float :initial-element 0.5d0) "filled_vector" (make-array 2 :fill-pointer 1 :initial-element 7)
    "matrix" (make-array '(2 2) :initial-element 0) "bytes" (octets 97 98 255) "no_bytes" (octets) "filled_bytes"
    (make-array 2 :element-type '(unsigned-byte 8) :fill-pointer 1 :initial-element 9) "own_bytes" (object "$bytes" "YQ==")
    "own_bad_bytes" (object "$bytes" (vector 1)) "escaped" (object "$$bytes" (octets 120)) "null" :null "nil_in" (vector nil t :null)
    "nothing" nil "true" t "empty" (object) "empty_vector" (vector) "empty_key" (object "" (object "__proto__" 1))
    "cyclic_vector" (cyclic-vector) "cyclic_table" (cyclic-table) "cyclic_list" (cyclic-list) "deep" (deep 110)
    "deep_limit" (deep 120) "deep_over" (deep 121) "very_deep" (deep 3000) "shared" (let ((part (gethash "prices" *table*))) (list part part))
    "big_text" (make-string 100000 :initial-element #\x) "big_list" (loop for i below 20000 collect i)
    "long" (make-string 600 :initial-element (code-char #x20ac)) "special" (format nil "\"\\/~c" #\Tab)))

(defun case-of (message)
  "The case that a message belongs to, \"-\" if it does not tell."
  (typecase message
    (hash-table (case-of (gethash "case" message)))
    (string (subseq message 0 (position #\: message)))
    ((vector (unsigned-byte 8)) "-")
    (vector (if (plusp (length message)) (case-of (aref message 0)) "-"))
    (integer (format nil "~d" message))
    (t "-")))

(defun mutate (value &optional (depth 0))
  "Change everything in a value that can be changed, but never the own table: it is the same after a death."
  (unless (or (> depth 5) (eq value *table*) (eq value (gethash "prices" *table*)))
    (typecase value
      (hash-table
       (let ((keys '()))
         (maphash (lambda (key item) (mutate item (1+ depth)) (push key keys)) value)
         (dolist (key keys)
           (unless (equal key "case") (remhash key value))
           (when (typep key '(array character (*))) (ignore-errors (nstring-upcase key))))
         (remhash "CASE" value)
         (setf (gethash (copy-seq "mutated") value) (vector "yes"))))
      ((vector (unsigned-byte 8)) (when (plusp (length value)) (setf (aref value 0) 0)))
      ((array character (*)) (when (> (length value) 3) (nstring-upcase value :start 3)))
      (simple-vector (loop for i below (length value) do (mutate (svref value i) (1+ depth)))
       (when (> (length value) 1) (setf (svref value (1- (length value))) (copy-seq "mutated")))))))

(defun saw (value &optional (depth 0))
  "What a value is, with the types of all its parts."
  (typecase value
    (hash-table
     (let ((parts '()))
       (unless (> depth 130)
         (maphash (lambda (key item) (push (format nil "~a: ~a" (saw key) (saw item (1+ depth))) parts)) value))
       (format nil "~a{~{~a~^, ~}}" (hash-table-test value) (nreverse parts))))
    (simple-vector (format nil "#(~{~a~^, ~})" (unless (> depth 130) (map 'list (lambda (item) (saw item (1+ depth))) value))))
    (t (let ((text (format nil "~a ~s" (type-of value) value))) (subseq text 0 (min 200 (length text)))))))

(defun wrapped (case value) (object "case" case "v" value))

(defun without (table &rest keys)
  (dolist (key keys table) (remhash key table)))

(defun act (message context &aux (case (case-of message)) (config (context-config context)) (value message))
  "Do as the program says; returns what the handler returns."
  (when (and (find case (gethash "die" config) :test #'equal) (not (context-redelivered context)))
    (sb-ext:run-program "/bin/kill" (list "-9" (format nil "~d" (sb-unix:unix-getpid)))))
  (loop for step across (gethash case (gethash "programs" config) (vector (vector "return")))
        for word = (svref step 0)
        for rest = (and (> (length step) 1) (svref step 1))
        do (flet ((is (text) (string= word text)))
             (cond ((is "value") (setf value rest))
                   ((is "make") (setf value (odd rest)))
                   ((is "dict") (setf value (wrapped case value)))
                   ((is "list") (setf value (vector case value)))
                   ((is "twice") (setf value (list case value value)))
                   ((is "message") (setf value message))
                   ((is "table") (setf value *table*))
                   ((is "part") (setf value (wrapped case (gethash "part" (context-config context)))))
                   ((is "config") (setf value (wrapped case (without (context-config context) "programs" "die"))))
                   ((is "get") (setf value (context-get context rest (wrapped case (copy-seq "default")))))
                   ((is "set") (context-set context rest value))
                   ((is "saw") (context-set context (format nil "saw ~a" case) (saw message)))
                   ((is "keep") (push value *kept*))
                   ((is "keep_message") (push message *kept*))
                   ((is "spoil") (loop while *kept* do (mutate (pop *kept*))))
                   ((is "mutate") (mutate value))
                   ((is "mutate_message") (mutate message))
                   ((is "send") (context-send context rest value))
                   ((is "send_with") (context-send context "out" value (object "x-h" case)))
                   ((is "catch")
                    (handler-case (context-send context "out" value)
                      (flow-error (e) (context-send context "side" (list case (princ-to-string e))))))
                   ((is "catch_set")
                    (handler-case (context-set context "caught" value)
                      (flow-error (e) (context-set context "caught" (list case (princ-to-string e))))))
                   ((is "fail") (error "case ~a" case))
                   ((is "return") (return value))
                   (t (error "the word ~a" word))))))
