;;;; What became of user code that raised: the ERROR object of PROTOCOL.md section 4, with the user's file and line.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defconstant +frames+ 200) ; of a stack that are looked at
(defconstant +shown-frames+ 20)
(defconstant +text-chars+ (ash 64 10))

;;; The text of one module and what was made of it.
(defstruct code
  (name "" :type string)
  (text "" :type string)
  (files (make-hash-table :test 'equal) :type hash-table)
  (package nil)
  (folder "" :type string)
  (places (make-hash-table :test 'eq) :type hash-table) ; each list read -> (unit . offset)
  (log nil :type (or null function)))

;;; A text that is loaded, and, as a copy for each, what one of its top-level forms was compiled from. A function's debug
;;; information leads to it.
(defstruct unit
  (file "" :type string)
  (text "" :type string)
  (code nil) ; what it is part of
  (places nil :type (or null hash-table)) ; each list read -> (unit . offset)
  (form nil)) ; as it was compiled: (lambda () FORM)

(defstruct failure
  (type "" :type string) (message "" :type string) (file nil) (line nil) (column nil) (stack nil))

;;; A condition that is no error and that nobody has handled, though `error` was called with it.
(define-condition unhandled (serious-condition)
  ((condition :initarg :condition :reader unhandled-condition)))

(defun position-of (text offset)
  "Line and column, both from 1."
  (let ((start (position #\Newline text :end offset :from-end t)))
    (values (1+ (count #\Newline text :end offset))
            (- offset (or start -1)))))

(defun offset-at (unit path)
  "Where the form begins that PATH, indices from the inside out, leads to; or what is around it."
  (let ((form (unit-form unit)) (found nil))
    (dolist (index (rest (reverse path)) found) ; the first is the top-level form's
      (unless (and (consp form) (ignore-errors (list-length form))) (return found))
      (setf form (nth index form))
      (let ((place (gethash form (unit-places unit))))
        (when place (setf found (cdr place)))))))

(defun place-of-frame (frame code)
  "Unit and offset of a frame of CODE."
  (ignore-errors
   (let* ((location (sb-di:frame-code-location frame))
          (unit (getf (sb-c::debug-source-plist (sb-di:code-location-debug-source location)) :flow-unit)))
     (when (and unit (eq (unit-code unit) code))
       (values unit
               (ignore-errors
                (offset-at unit (rest (aref (sb-di:form-number-translations (unit-form unit) 0)
                                            (sb-di:code-location-form-number location))))))))))

(defun user-frames (code)
  "Name, unit and offset of the frames of CODE, innermost first."
  (let ((frames '()))
    (sb-debug::map-backtrace
     (lambda (frame)
       (multiple-value-bind (unit offset) (place-of-frame frame code)
         (when (and unit (< (length frames) +shown-frames+))
           (push (list (own-name (sb-di:debug-fun-name (sb-di:frame-debug-fun frame))) unit offset) frames))))
     :count +frames+)
    (nreverse frames)))

(defun own-name (name)
  "Without the file that SBCL puts behind the name of a lambda."
  (let ((in (and (consp name) (ignore-errors (member :in name)))))
    (if (stringp (second in)) (ldiff name in) name)))

(defun clean (text)
  "Text of bounded length that can be written as UTF-8."
  (let ((text (if (> (length text) +text-chars+) (concatenate 'string (subseq text 0 +text-chars+) "...") text)))
    (substitute-if #\ufffd (lambda (char) (<= #xd800 (char-code char) #xdfff)) text)))

(defun show (object)
  "A condition's text; a hostile one must not harm the host."
  (handler-case
      (let ((*print-length* 100) (*print-level* 10) (*print-circle* t) (*print-pretty* nil) (*print-readably* nil))
        (clean (princ-to-string object)))
    (serious-condition () "an error that cannot be shown")))

(defun type-text (condition)
  (if (typep condition 'flow-error)
      (or (protocol-name condition) "FlowError")
      (show (type-of condition))))

(defvar *form-place* nil "Unit and offset of the top-level form that a load has come to.")

(defun failure-of (condition &optional code)
  "Describes a condition; to be called where it was signalled."
  (when (typep condition 'unhandled) (setf condition (unhandled-condition condition)))
  (let* ((message (unqualified (show condition) code))
         (failure (make-failure :type (type-text condition) :message (format nil "~a~@[; ~a~]" message (hint condition))))
         (frames (and code (ignore-errors (user-frames code))))
         (place (or (rest (find-if #'third frames)) *form-place* (rest (first frames)))))
    (when code (setf (failure-file failure) (code-name code)))
    (when place
      (destructuring-bind (unit offset) place
        (setf (failure-file failure) (unit-file unit))
        (when offset (locate failure (unit-text unit) offset))))
    (when frames
      (setf (failure-stack failure)
            (clean (format nil "~:{at ~a (~a~@[:~d~])~:^~%~}"
                           (loop for (name unit offset) in frames
                                 collect (list (show name) (unit-file unit)
                                               (and offset (position-of (unit-text unit) offset))))))))
    failure))

(defparameter *hints*
  '((:missing . "a relative path begins in the host's temporary folder: name the file in the module's `files:` and open it beside *load-truename*")
    (:denied . "what a module may write to is named in its `limits.writable`")
    (:system . "a system is named in the module's `dependencies:`")))

(defun hint (condition)
  "What to do about it, or NIL."
  (flet ((says (text) (search text (show condition) :test #'char-equal)))
    (cdr (assoc (typecase condition
                  (file-error (cond ((or (says "permission denied") (says "read-only file system")) :denied)
                                    ((and (says "not exist") (own-path-p (file-error-pathname condition))) :missing)))
                  (sb-int:extension-failure :system)
                  (package-error (when (or (says "does not exist") (says "does not designate")) :system)))
                *hints*))))

(defun own-path-p (path)
  "Whether a path is relative, or was so before it was merged with the working directory."
  (let ((name (namestring path)) (here (format nil "~a/" (sb-unix:posix-getcwd))))
    (or (not (eql (char name 0) #\/)) (eql (mismatch here name) (length here)))))

(defun unqualified (text code)
  "Without the prefix that the symbols of a module's own package have."
  (if (and code (code-package code))
      (loop with prefix = (format nil "~a::" (package-name (code-package code)))
            for at = (search prefix text)
            while at do (setf text (concatenate 'string (subseq text 0 at) (subseq text (+ at (length prefix)))))
            finally (return text))
      text))

(defun locate (failure text offset)
  (setf (values (failure-line failure) (failure-column failure)) (position-of text offset)))

(defun failure-object (failure)
  (let ((object (object "type" (failure-type failure) "message" (failure-message failure))))
    (flet ((add (key value) (when value (setf (gethash key object) value))))
      (add "file" (failure-file failure))
      (add "line" (failure-line failure))
      (add "column" (failure-column failure))
      (add "stack" (failure-stack failure)))
    object))

;;; ---------------------------------------------------------------- running user code

(defvar *running* nil "The slot whose code is running in this thread.")
(defvar *lines* '() "What this thread has printed without a line end: stream, text and so on.")

(defmacro guarded ((slot) &body body)
  "Run BODY, which is or calls user code of a slot: NIL, or the failure of what it signalled."
  (let ((condition (gensym "CONDITION")) (code (gensym "CODE")))
    `(block guarded
       (let* ((*running* ,slot)
              (,code (slot-code *running*))
              (*package* (or (code-package ,code) *package*)))
         (declare (type code ,code))
         (unwind-protect
              (handler-bind ((serious-condition
                               (lambda (,condition)
                                 (when (left-p) (come-back (show ,condition)))
                                 (return-from guarded (failure-of ,condition ,code)))))
                ,@body
                (when (left-p) (come-back nil))
                nil)
           (when *lines* (finish-lines)))))))

(define-condition exit-called (serious-condition)
  ((arguments :initarg :arguments :reader exit-arguments))
  (:report (lambda (condition stream) (format stream "(exit~{ ~(~s~)~})" (exit-arguments condition)))))

;; It would end the host, and all modules with it: it ends the call.
(sb-int:encapsulate 'sb-ext:exit 'host
                    (lambda (exit &rest arguments)
                      (if (and *running* (not (left-p)) (not (getf arguments :abort)))
                          (error 'exit-called :arguments arguments)
                          (apply exit arguments))))

(defun internal-error (condition)
  "An error of the host itself ends the process with 1."
  (format sb-sys:*stderr* "sbcl host: internal error: ~a~%" (show condition))
  (sb-debug:print-backtrace :stream sb-sys:*stderr* :count 50)
  (finish-output sb-sys:*stderr*)
  (c-exit 1))

(defmacro with-internal-errors (() &body body)
  `(handler-bind ((serious-condition #'internal-error)) ,@body))
