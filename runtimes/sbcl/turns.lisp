;;;; Runs what is in a turn (PROTOCOL.md section 7). The engine says when a turn begins. All of it happens under *LOCK*.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(sb-ext:defglobal *slots* (make-hash-table))
(sb-ext:defglobal *now* 0) ; microseconds, after the latest handler: one clock reading a call
(declaim (type hash-table *slots*) (type (unsigned-byte 60) *now*))

(defconstant +fused-octets+ (ash 64 20)) ; of one turn

(sb-ext:defglobal *spare* nil) ; a turn to use again

(declaim (inline new-turn clear-turn tick))
(defun new-turn (slot)
  (let ((turn (or (shiftf *spare* nil) (make-turn))))
    (setf (turn-slot turn) slot)
    turn))

(defun clear-turn (turn)
  (empty (turn-buffer turn))
  (setf (turn-calls turn) '() (turn-errors turn) '() (turn-changes turn) '() (turn-bytes turn) 0 (turn-number turn) 0
        (turn-data-p turn) nil (turn-quiet turn) nil (turn-pulled turn) 0 (turn-held turn) nil))

(defun tick (slot)
  "What was done since the last reading was done for this slot."
  (let ((now (now-us)))
    (incf (counts-busy (slot-counts slot)) (max 0 (- now *now*)))
    (setf *now* now)))

;;; ---------------------------------------------------------------- what a call leaves

(declaim (inline take))
(defun take (turn context)
  "A call that returned: its outputs and changes are the turn's now."
  (push context (turn-calls turn))
  (when (and (> (incf (turn-bytes turn) (ctx-bytes context)) +fused-octets+) (ctx-parent context))
    (give-up (turn-bytes turn)))
  (when (ctx-changes context)
    (let ((slot (ctx-slot context)))
      (maphash (lambda (key entry)
                 (change slot key entry)
                 (push (list slot key entry) (turn-changes turn)))
               (ctx-changes context)))))

(defun give-up (bytes)
  "What a message has set off by way of fused wires is too much for one transaction, though each call is within its
limit: the process ends, and the runner has the message done again, one module at a time."
  (format sb-sys:*stderr* "~d bytes behind one message by way of fused wires: it is done again unfused~%" bytes)
  (finish-output sb-sys:*stderr*)
  (c-exit 4))

(defun fail (turn context sent failure)
  "A call that raised: its ERROR is all that is left of it. SENT: the message of a fused one."
  (let* ((slot (ctx-slot context)) (fused (ctx-parent context)) (data-p (and (turn-data-p turn) (not fused))))
    (setf (ctx-outputs context) '()
          (ctx-changes context) nil
          (ctx-failed context) t)
    (push context (turn-calls turn))
    (when (and data-p (slot-retry slot)) (setf (turn-held turn) t))
    (push (make-raised :slot slot :data-p data-p :held (turn-held turn) :number (if fused 0 (turn-number turn))
                       :message (if fused
                                    (taken (turn-buffer turn) (sent-start sent) (sent-end sent))
                                    (make-octets 0))
                       :info (encode (object "error" (failure-object failure)
                                             "port" (or (ctx-port context) :null)
                                             "id" (or (context-message-id context) :null)
                                             "headers" (if (ctx-headers context)
                                                           (headers-table (ctx-headers context))
                                                           :null))))
          (turn-errors turn))))

;;; ---------------------------------------------------------------- running

(defun handle (turn context message &optional sent)
  "Run the handler of a context's slot. SENT: the message of a fused call."
  (let* ((slot (ctx-slot context))
         (handler (slot-handler slot))
         (failure (guarded (slot)
                    (unless handler (refuse 'flow-error "~a has no handler, only a source" (slot-module slot)))
                    (let ((result (funcall handler message context)))
                      (when result (send-to context (slot-out-port slot) result (ctx-headers context)))
                      (check-bytes context))))) ; a send that was refused may not have minded
    (if failure
        (fail turn context sent failure)
        (take turn context))
    (setf (ctx-over context) t)
    (tick slot)))

(defun spread (turn context)
  "Run what is fused behind a call, depth-first."
  (dolist (sent (reverse (ctx-outputs context)))
    (loop for (slot . port) in (port-targets (sent-port sent))
          for value in (sent-values sent)
          do (let ((child (make-context slot turn port nil 0 context (sent-index sent) (sent-headers sent))))
               (handle turn child value sent)
               (spread turn child)))))

(defun finish (turn root)
  "Run the rest of a turn whose root call has ended, and merge it."
  (when (ctx-outputs root) (spread turn root))
  (merge-turn turn)
  (when (turn-held turn) (hold-back (turn-slot turn)))
  (when (>= (transaction-bytes *transaction*) +commit-octets+) (commit))
  (clear-turn turn))

(defun hold-back (slot)
  "A failed message is to be tried again: it stays with the runner, and so does all that comes behind it until PAUSE."
  (clear (slot-batches slot))
  (setf (slot-held slot) t)
  (commit))

;;; ---------------------------------------------------------------- turns

(defun run-message (slot batch)
  "The turn of a batch's next message."
  (let* ((place (batch-place batch))
         (turn (new-turn slot))
         (headers (and (batch-headers batch) (svref (batch-headers batch) place)))
         (context (make-context slot turn (batch-port batch) batch place nil 0 headers))
         (number (+ (batch-first batch) place)))
    (setf (turn-data-p turn) t
          (turn-number turn) number)
    (when (batch-ids batch) (setf (ctx-id context) (svref (batch-ids batch) place)))
    (when (batch-announce batch)
      (commit)
      (send-frame *output* +turn+ :slot (slot-number slot) :first number)
      (flush *output*))
    (multiple-value-bind (message refused) (next-message batch)
      (when (= (batch-place batch) (batch-end batch)) (dequeue (slot-batches slot)))
      (if refused
          (fail turn context nil (failure-of refused))
          (handle turn context message)))
    (let ((announced (batch-announce batch)))
      (finish turn context)
      (setf *spare* turn)
      (when announced (commit)))))

(defun name-turn (turn hook number)
  "The context of a turn that no message causes."
  (let* ((slot (turn-slot turn)) (context (make-context slot turn nil nil 0 nil 0 nil)))
    (setf (ctx-id context) (format nil "~a.~a~@[#~d~]" (slot-module slot) hook number)
          (ctx-hook context) t)
    context))
