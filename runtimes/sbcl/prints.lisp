;;;; What modules print becomes LOG frames with the slot that printed, a line each.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defun log-text (slot level text)
  "Written at once: the next form may be the process's last. And whole: no time-out of the module's comes between."
  (let ((body (encode (object "level" (clean level) "text" (clean text)))))
    (if (left-p)
        (format sb-sys:*stderr* "~a~%" text)
        (sb-sys:without-interrupts
          (with-output (*output*)
            (send-frame *output* +log+ :slot (if slot (slot-number slot) +none+) :parts (list body))
            (flush *output*))))))

(defun context-log (context level text)
  "Write a line to the runner's log. LEVEL is debug, info, warning or error, a string or a keyword."
  (log-text (ctx-slot context) (string-downcase (string level)) (if (stringp text) text (princ-to-string text))))

;;; A character stream whose lines are logged. Each thread collects its own line.
(defclass log-stream (sb-gray:fundamental-character-output-stream)
  ((level :initarg :level :reader level)))

(defun line-of (stream)
  (or (getf *lines* stream)
      (setf (getf *lines* stream) (make-array 80 :element-type 'character :adjustable t :fill-pointer 0))))

(defun finish-line (stream)
  (let ((line (line-of stream)))
    (when (plusp (fill-pointer line))
      (let ((text (coerce line 'simple-string)))
        (setf (fill-pointer line) 0)
        (log-text *running* (level stream) text)))))

(defun add-char (stream char)
  (let ((line (line-of stream)))
    (unless (char= char #\Newline) (vector-push-extend char line))
    (when (or (char= char #\Newline) (>= (fill-pointer line) +text-chars+)) (finish-line stream))))

(defmethod sb-gray:stream-write-char ((stream log-stream) char)
  (with-output (*output*) (add-char stream char))
  char)

(defmethod sb-gray:stream-write-string ((stream log-stream) string &optional (start 0) end)
  (with-output (*output*)
    (loop for i from start below (or end (length string)) do (add-char stream (char string i))))
  string)

(defmethod sb-gray:stream-line-column ((stream log-stream)) (fill-pointer (line-of stream)))
(defmethod sb-gray:stream-force-output ((stream log-stream)) (finish-line stream) nil)
(defmethod sb-gray:stream-finish-output ((stream log-stream)) (finish-line stream) nil)

(defun finish-lines ()
  "A call has ended: what it printed without a line end is a line, too."
  (loop for (stream) on *lines* by #'cddr do (finish-line stream)))

(defun install-prints ()
  (let ((out (make-instance 'log-stream :level "info"))
        (err (make-instance 'log-stream :level "error"))
        (none (make-concatenated-stream)))
    (setf *standard-output* out
          *trace-output* err
          *error-output* err
          *standard-input* none
          *debug-io* (make-two-way-stream none err)
          *query-io* (make-two-way-stream none out)
          *terminal-io* (make-two-way-stream none out))))

(defun no-debugger (condition hook)
  "What would enter the debugger: in a handler it is an error, (break) too; a thread that a module has made ends alone."
  (declare (ignore hook))
  (cond (*running* (error 'unhandled :condition condition))
        ((eq sb-thread:*current-thread* (sb-thread:main-thread)) (internal-error condition))
        (t (log-text nil "error" (format nil "uncaught in a module's thread: ~a" (show condition)))
           (sb-thread:abort-thread))))
