;;;; Sources, and sends outside a turn: both come from threads beside the engine, which may block. Each value is a turn
;;;; that its own thread runs under the engine's lock, so no value waits for another thread.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defconstant +patience-us+ 2000) ; the engine waits so long for its lock, then the others let it pass

(defstruct (source (:constructor %make-source (next close)))
  (next nil :type function)
  (close nil :type (or null function))
  (stopped nil)
  (advancing nil)) ; its own code runs

(defun make-source (next &key close)
  "What `start` returns to be a source. NEXT is called for each value, as long as there is credit: it returns the value
and T, or NIL when there are no more. CLOSE is called before `stop`."
  (check-type next function)
  (check-type close (or null function))
  (%make-source next close))

;;; ---------------------------------------------------------------- the lock

(sb-ext:defglobal *credit* (sb-thread:make-waitqueue :name "credit"))
(sb-ext:defglobal *wake-fd* -1)
(sb-ext:defglobal *waiting* 0) ; threads that wait for the lock
(declaim (type fixnum *waiting*))
(sb-ext:defglobal *engine-waits-since* nil)
(sb-ext:defglobal *awake* nil) ; the engine has been woken and has not come yet

(defmacro with-engine (() &body body)
  "BODY in a thread beside the engine: in turn with it."
  `(progn
     (sb-ext:atomic-incf *waiting*)
     (sb-thread:with-mutex (*lock*)
       (sb-ext:atomic-decf *waiting*)
       (setf *now* (now-us))
       ,@body)))

(defun let-engine-pass ()
  "Mutexes are not fair: who takes the lock again and again leaves it to the engine when that has waited for long."
  (let ((since *engine-waits-since*))
    (when (and since (> (- (now-us) since) +patience-us+))
      (loop while (eq *engine-waits-since* since) do (sb-thread:thread-yield)))))

(defun wake-engine ()
  "There is something to commit. Called with the lock."
  (cond ((not *awake*)
         (setf *awake* t)
         (write-all *wake-fd* (load-time-value (coerce #(1 0 0 0 0 0 0 0) 'octets) t) 8))
        ((and (not (transaction-empty-p))
              (> (- *now* (transaction-begun-us *transaction*)) +commit-us+))
         (commit))))

(defun more-credit ()
  (sb-thread:condition-broadcast *credit*))

;;; ---------------------------------------------------------------- a source's thread

(defun begin-source (source slot context)
  "CONTEXT is the one that `start` was given: it collects what happens between two values."
  (setf (ctx-turn context) (make-turn :slot slot)
        (ctx-thread context) t
        (slot-source slot) source)
  (sb-thread:make-thread (lambda ()
                           (let ((*lines* '())) (with-internal-errors () (run-source source slot context))))
                         :name (format nil "~a.start" (slot-module slot))))

(defun end-source (slot)
  "The source yields no more; its clean-up runs unless it is in its own code."
  (let ((source (slot-source slot)))
    (when source
      (setf (source-stopped source) t
            (slot-source slot) nil)
      (more-credit)
      (when (and (source-close source) (not (source-advancing source)))
        (let ((failure (guarded (slot) (funcall (source-close source)))))
          (when failure (log-text slot "error" (format nil "closing the source: ~a" (failure-message failure)))))))))

(defun wait-for-credit (slot stopped)
  "With the lock: true when there is credit, false when STOPPED says so."
  (loop (cond ((funcall stopped) (return nil))
              ((plusp (slot-credit slot)) (return t))
              (t (sb-thread:condition-wait *credit* *lock*)))))

(defun run-source (source slot context)
  (flet ((stopped () (source-stopped source)))
    (loop while (and (with-engine ()
                       (when (wait-for-credit slot #'stopped)
                         (setf (source-advancing source) t)
                         (renew-context context slot)))
                     (advance-source source slot context #'stopped))
          do (let-engine-pass))))

(defun renew-context (context slot)
  (setf (ctx-waiting context) '() (ctx-outputs context) '() (ctx-count context) 0 (ctx-sent context) 0
        (ctx-unwired context) 0 (ctx-failed context) nil (ctx-bytes context) 0 (ctx-changes context) nil
        (ctx-changed-bytes context) 0 (ctx-over context) nil
        (ctx-id context) (format nil "~a.start#~d" (slot-module slot) (slot-turn-number slot))))

(defun advance-source (source slot context stopped)
  "Run the source's own code for one value, and the turn of that; false when there is none."
  (let* ((begun (now-us)) (value nil) (more nil)
         (failure (guarded (slot) (multiple-value-setq (value more) (funcall (source-next source)))))
         (busy (- (now-us) begun)))
    (with-engine ()
      (setf (source-advancing source) nil
            (ctx-over context) t)
      (when (if (and more (not failure)) (wait-for-credit slot stopped) (not (funcall stopped)))
        (incf (counts-busy (slot-counts slot)) busy)
        (setf *now* (now-us))
        (run-source-turn slot context value more failure)))))

(defun run-source-turn (slot context value more failure)
  (let* ((turn (ctx-turn context))
         (failure (or failure
                      (guarded (slot)
                        (loop for (port item headers) in (reverse (ctx-waiting context))
                              do (send-now context port item headers))
                        (when (and more value) (send-now context "out" value nil))
                        (check-bytes context))))
         (goes-on (and more (not failure))))
    (setf (turn-number turn) (slot-turn-number slot))
    (cond (failure (fail turn context nil failure))
          (t (setf (turn-quiet turn) (not more))
             (take turn context)))
    (when goes-on
      (decf (slot-credit slot))
      (incf (slot-turn-number slot))
      (setf (turn-pulled turn) 1))
    (finish turn context)
    (cond (goes-on (wake-engine))
          (t (commit)
             (setf (slot-source slot) nil)
             (send-frame *output* +finished+ :slot (slot-number slot)
                         :parts (list (encode (object "ok" (null failure)))))
             (flush *output*)))
    goes-on))

;;; ---------------------------------------------------------------- sends outside a turn

(defun send-outside (slot port value headers)
  "A turn of its own, for a thread that the module has made; it waits for credit."
  (when (sb-thread:holding-mutex-p *lock*)
    (refuse 'credit-error "the call of this context has ended; only a thread of the module's own may still use it"))
  (let ((value (decode (encode value))))
    (with-engine ()
      (unless (wait-for-credit slot (lambda () (slot-gone slot)))
        (refuse 'credit-error "~a is not loaded any more" (slot-module slot)))
      (let* ((turn (new-turn slot)) (context (name-turn turn "start" (slot-turn-number slot)))
             (failure (guarded (slot) (send-now context port value headers))))
        (decf (slot-credit slot))
        (setf (turn-pulled turn) 1
              (turn-number turn) (slot-turn-number slot))
        (incf (slot-turn-number slot))
        (if failure (fail turn context nil failure) (take turn context))
        (setf (ctx-over context) t)
        (finish turn context)
        (setf *spare* turn)
        (wake-engine)))))
