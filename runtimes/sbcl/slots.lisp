;;;; A loaded module: its functions, its wiring, its context as of now, its queues and counters. Decides nothing.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defstruct (queue (:constructor make-queue ()))
  (head '() :type list)
  (tail '() :type list))

(defun enqueue (item queue)
  (let ((cell (list item)))
    (if (queue-head queue)
        (setf (cdr (queue-tail queue)) cell)
        (setf (queue-head queue) cell))
    (setf (queue-tail queue) cell)))

(defun dequeue (queue) (pop (queue-head queue)))

(defun clear (queue) (setf (queue-head queue) '()))

;;; An out-port that has wires, and the messages that wait there for the next commit.
(defstruct port
  (name "" :type simple-string)
  (channel nil :type (or null (unsigned-byte 16))) ; NIL when all wires are fused
  (ids nil)
  (targets '() :type list) ; (slot . in-port)
  (buffer (make-buffer 256) :type buffer)
  (headers (make-buffer 0) :type buffer)
  (with-headers nil)
  (count 0 :type index))

;;; One value of a context: its JSON text, and the value itself if it cannot be changed.
(defstruct (entry (:constructor make-entry (text size value)))
  (text (make-octets 0) :type octets)
  (size 0 :type index)
  (value nil))

(defun entry-of (key value)
  (let* ((text (encode value)) (size (length text)))
    (when (> size +max-value-bytes+)
      (refuse 'context-error "the value of ~a has ~d bytes, at most ~d are allowed" key size +max-value-bytes+))
    (make-entry text (+ size (length key)) (if (typep value '(or integer double-float symbol)) value 'in-text))))

(defun entry-now (entry)
  (let ((value (entry-value entry)))
    (if (eq value 'in-text) (decode (entry-text entry)) value)))

(defstruct counts
  (consumed 0 :type fixnum) (handled 0 :type fixnum) (failed 0 :type fixnum) (pulled 0 :type fixnum)
  (sent 0 :type fixnum) (unwired 0 :type fixnum) (busy 0 :type fixnum) (fused 0 :type fixnum))

(defstruct slot
  (number 0 :type (unsigned-byte 16))
  (flow "" :type string)
  (module "" :type string)
  (config nil)
  (out-names nil) ; those declared, or T
  (unwired-ports (list "out") :type list) ; of which the runner knows
  (concurrency 1 :type fixnum)
  (retry nil)
  (max-turn-bytes 0 :type (integer 0))
  (code nil) ; loading.lisp: where the functions came from
  (handler nil :type (or null function))
  (hooks '() :type list) ; ("start" . function), ...
  (store (make-hash-table :test 'equal) :type hash-table)
  (store-bytes 0 :type fixnum)
  (out (make-hash-table :test 'equal) :type hash-table)
  (out-port nil :type (or null port)) ; of "out", the port of what a handler returns
  (queued nil) ; in the engine's list of slots to look at
  (batches (make-queue) :type queue)
  (calls (make-queue) :type queue)
  (credit 0 :type fixnum)
  (turn-number 0 :type (integer 0))
  (source nil)
  (held nil) ; a message failed and is to be tried again: input is discarded until PAUSE
  (gone nil)
  (touched nil) ; has a part in the transaction
  (dirty nil :type (or null hash-table)) ; context keys to commit
  (counts (make-counts) :type counts))

(defmethod print-object ((slot slot) stream)
  (print-unreadable-object (slot stream :type t) (princ (slot-module slot) stream)))

(defun set-context (slot values)
  "Replace the whole context by the values of a table."
  (let ((store (make-hash-table :test 'equal)) (bytes 0))
    (maphash (lambda (key value)
               (let ((entry (entry-of key value)))
                 (incf bytes (entry-size entry))
                 (setf (gethash key store) entry)))
             values)
    (setf (slot-store slot) store
          (slot-store-bytes slot) bytes)))

(defun change (slot key entry)
  "Put or remove (NIL) an entry and return what was there."
  (let* ((store (slot-store slot)) (old (gethash key store)))
    (when old (decf (slot-store-bytes slot) (entry-size old)))
    (cond (entry (incf (slot-store-bytes slot) (entry-size entry))
                 (setf (gethash key store) entry))
          (t (remhash key store)))
    old))

(defun forget-input (slot)
  "PAUSE: what has not begun is forgotten; the runner still has it."
  (clear (slot-batches slot))
  (setf (slot-credit slot) 0
        (slot-held slot) nil))
