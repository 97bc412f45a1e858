;;;; What became of user code that raised: the ERROR object of PROTOCOL.md section 4, with the user's file and line.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defconstant +frames+ 200) ; of a stack that are looked at
(defconstant +text-chars+ (ash 64 10))

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

(defun position-of (text offset)
  "Line and column, both from 1."
  (let ((start (position #\Newline text :end offset :from-end t)))
    (values (1+ (count #\Newline text :end offset))
            (- offset (or start -1)))))

(defun offset-at (unit path)
  "Where the form begins that PATH, indices from the inside out, leads to; or what is around it."
  (let ((form (unit-form unit)) (found nil))
    (dolist (index (reverse path) found)
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
                (offset-at unit
                           (rest (svref (sb-di:form-number-translations (unit-form unit) 0)
                                        (sb-di:code-location-form-number location))))))))))

(defun user-frames (code)
  "Name, unit and offset of the frames of CODE, innermost first."
  (let ((frames '()))
    (sb-debug::map-backtrace
     (lambda (frame)
       (multiple-value-bind (unit offset) (place-of-frame frame code)
         (when unit (push (list (sb-di:debug-fun-name (sb-di:frame-debug-fun frame)) unit offset) frames))))
     :count +frames+)
    (nreverse frames)))

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

(defun failure-of (condition &optional code)
  "Describes a condition; to be called where it was signalled."
  (let ((failure (make-failure :type (type-text condition) :message (show condition)))
        (frames (and code (ignore-errors (user-frames code)))))
    (when frames
      (destructuring-bind (unit offset) (rest (or (find-if #'third frames) (first frames)))
        (setf (failure-file failure) (unit-file unit))
        (when offset (locate failure (unit-text unit) offset)))
      (setf (failure-stack failure)
            (clean (format nil "~:{at ~a (~a~@[:~d~])~:^~%~}"
                           (loop for (name unit offset) in frames
                                 collect (list (show name) (unit-file unit)
                                               (and offset (position-of (unit-text unit) offset))))))))
    failure))

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

(defmacro guarded ((slot) &body body)
  "Run BODY, which is or calls user code of a slot: NIL, or the failure of what it signalled."
  (let ((condition (gensym "CONDITION")))
    `(block guarded
       (let ((*running* ,slot))
         (handler-bind ((serious-condition
                          (lambda (,condition) (return-from guarded (failure-of ,condition (slot-code ,slot))))))
           ,@body
           nil)))))

(defmacro with-internal-errors (() &body body)
  "An error of the host itself ends the process with 1."
  `(handler-bind ((serious-condition
                    (lambda (condition)
                      (format sb-sys:*stderr* "sbcl host: internal error: ~a~%" (show condition))
                      (sb-debug:print-backtrace :stream sb-sys:*stderr* :count 50)
                      (finish-output sb-sys:*stderr*)
                      (c-exit 1))))
     ,@body))
