;;;; What a handler call sees as its context. What a call sends and changes stays here until it has ended; a call that
;;;; raises is forgotten by forgetting its context.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

;;; One root turn: what its handler calls have produced so far. Nothing of it is visible outside until it is merged.
(defstruct turn
  (slot nil)
  (buffer (make-buffer) :type buffer) ; the outputs' texts
  (calls '() :type list) ; contexts that have ended, last first
  (errors '() :type list) ; last first
  (changes '() :type list) ; (slot key entry), last first
  (bytes 0 :type index)
  (number 0 :type (unsigned-byte 64))
  (data-p nil) ; begun by a message of the runner
  (quiet nil) ; a hook or the end of a source: no handler call
  (pulled 0 :type bit)
  (held nil))

;;; One value sent: where its text is in the turn's buffer, and a value per fused target.
(defstruct (sent (:constructor make-sent (port start end values headers index)))
  (port nil :type port) (start 0 :type index) (end 0 :type index) (values '() :type list)
  (headers nil) (index 0 :type index))

(defstruct (context (:conc-name ctx-) (:constructor make-context (slot turn port batch place parent index headers)))
  (slot nil :type slot)
  (turn nil :type turn)
  (port nil)
  (batch nil :type (or null batch)) ; of a root call: where its message is
  (place 0 :type index)
  (parent nil) ; of a fused call: who sent its message, and which output it was
  (index 0 :type index)
  (headers nil :type (or null headers))
  (id nil)
  (over nil) ; the call has ended: a send is a turn of its own
  (hook nil)
  (thread nil) ; of a source: not the thread that owns the store
  (waiting '() :type list) ; of a source: (port value headers) to be sent when it has the engine's lock, last first
  (outputs '() :type list) ; last first
  (count 0 :type index)
  (sent 0 :type index)
  (unwired 0 :type index)
  (failed nil)
  (bytes 0 :type index)
  (changes nil :type (or null hash-table))
  (changed-bytes 0 :type fixnum))

(defmethod print-object ((turn turn) stream) (print-unreadable-object (turn stream :type t)))
(defmethod print-object ((sent sent) stream) (print-unreadable-object (sent stream :type t)))
(defmethod print-object ((context context) stream)
  (print-unreadable-object (context stream :type t) (princ (slot-module (ctx-slot context)) stream)))

;;; Sources and threads of a module work beside the engine: the engine's lock is what they share.
(sb-ext:defglobal *lock* (sb-thread:make-mutex :name "engine"))

(defmacro with-store ((context) &body body)
  "BODY with the module's store for itself. Handlers have it anyway."
  `(flet ((body () ,@body))
     (declare (dynamic-extent #'body))
     (if (or (ctx-thread ,context) (ctx-over ,context))
         (sb-thread:with-recursive-lock (*lock*) (body))
         (body))))

;;; ---------------------------------------------------------------- what the module may ask

(defun context-config (context)
  "The module's config, as a copy."
  (copy-value (slot-config (ctx-slot context))))

(defun context-headers (context)
  "The message's headers, a table."
  (if (ctx-headers context)
      (copy-value (headers-table (ctx-headers context)))
      (make-hash-table :test 'equal)))

(defun flow:context-port (context) "The in-port of the message." (ctx-port context))
(defun context-module-id (context) "The module's id." (slot-module (ctx-slot context)))
(defun context-flow-id (context) "The flow's id." (slot-flow (ctx-slot context)))

(defun root (context)
  (loop while (ctx-parent context) do (setf context (ctx-parent context)))
  context)

(defun context-redelivered (context)
  "Whether a host may have begun with this message before."
  (let ((batch (ctx-batch (root context))))
    (and batch (batch-redelivered batch) t)))

(defun context-message-id (context)
  "The message's id, the same when it is delivered again."
  (or (ctx-id context)
      (setf (ctx-id context)
            (cond ((ctx-parent context) (id-of-output (ctx-parent context) (ctx-index context)))
                  ((ctx-batch context)
                   (format nil "~a#~d" (batch-wire (ctx-batch context))
                           (+ (batch-first (ctx-batch context)) (ctx-place context))))))))

(defun id-of-output (context index)
  (format nil "~a/~a.~d" (context-message-id context) (slot-module (ctx-slot context)) index))

;;; ---------------------------------------------------------------- state

(defun find-entry (context key)
  (let ((changes (ctx-changes context)))
    (if changes
        (multiple-value-bind (entry found) (gethash key changes)
          (if found entry (values (gethash key (slot-store (ctx-slot context))))))
        (values (gethash key (slot-store (ctx-slot context)))))))

(defun context-get (context key &optional default)
  "The value of KEY, a copy, and whether there is one; else DEFAULT."
  (with-store (context)
    (let ((entry (find-entry context key)))
      (if entry (values (entry-now entry) t) (values default nil)))))

(defun context-set (context key value)
  "Store a copy of VALUE under KEY, a string; it commits with the turn."
  (unless (stringp key) (refuse 'context-error "a context key is a string, not ~s" key))
  (unless (simple-string-p key) (setf key (coerce key 'simple-string)))
  (encode key) ; refuses surrogates
  (let ((entry (entry-of key value)))
    (with-store (context) (change-later context (copy-seq key) entry)))
  value)

(defun context-delete (context key)
  "Remove KEY; true if it was there."
  (with-store (context)
    (when (find-entry context key)
      (change-later context key nil)
      t)))

(defun context-keys (context)
  "The keys, a list."
  (with-store (context)
    (let ((keys '()) (changes (ctx-changes context)))
      (maphash (lambda (key entry)
                 (declare (ignore entry))
                 (unless (and changes (nth-value 1 (gethash key changes))) (push (copy-seq key) keys)))
               (slot-store (ctx-slot context)))
      (when changes (maphash (lambda (key entry) (when entry (push (copy-seq key) keys))) changes))
      (nreverse keys))))

(defun change-later (context key entry)
  (let* ((slot (ctx-slot context))
         (old (find-entry context key))
         (bytes (- (if entry (entry-size entry) 0) (if old (entry-size old) 0)))
         (replaced (and (ctx-changes context) (gethash key (ctx-changes context)))))
    (when (and (> (slot-concurrency slot) 1) (not (ctx-hook context)))
      (refuse 'context-error "a module with concurrency cannot change its context"))
    (when (ctx-over context) (refuse 'context-error "the call of this context has ended"))
    (when (and (plusp bytes) (> (+ (slot-store-bytes slot) (ctx-changed-bytes context) bytes) +max-context-bytes+))
      (refuse 'context-error "the context would exceed ~d bytes" +max-context-bytes+))
    (incf (ctx-changed-bytes context) bytes)
    (unless (ctx-changes context) (setf (ctx-changes context) (make-hash-table :test 'equal)))
    (setf (gethash key (ctx-changes context)) entry)
    (when entry (add-bytes context (- (entry-size entry) (if replaced (entry-size replaced) 0))))))

(defun add-bytes (context bytes)
  "Stops a call early that would be refused anyway, before it eats the memory."
  (setf (ctx-bytes context) (max 0 (+ (ctx-bytes context) bytes)))
  (check-bytes context))

(defun check-bytes (context)
  (let ((most (slot-max-turn-bytes (ctx-slot context))))
    (when (> (ctx-bytes context) most) (refuse 'turn-too-large "outputs exceed ~d bytes" most))))

(declaim (ftype function send-outside log-text)) ; sources.lisp, prints.lisp

;;; ---------------------------------------------------------------- sending

(defun context-send (context port value &optional (headers nil own-headers))
  "Send VALUE, NIL is false, on PORT. HEADERS, a table or :null for none, are in place of the message's own. Returns NIL."
  (let ((slot (ctx-slot context)))
    (unless (stringp port) (refuse 'port-error "a port is a string, not ~s" port))
    (unless (or (eq (slot-out-names slot) t) (member port (slot-out-names slot) :test #'string=))
      (refuse 'port-error "~a has no out-port ~a" (slot-module slot) port))
    (let ((checked (if own-headers (check-headers headers) (ctx-headers context))))
      (cond ((ctx-over context) (send-outside slot port value checked))
            ((ctx-thread context) (push (list port (decode (encode value)) checked) (ctx-waiting context)))
            (t (send-now context port value checked)))
      nil)))

(defun send-now (context name value headers)
  (let* ((slot (ctx-slot context)) (port (gethash name (slot-out slot))))
    (unless port (say-unwired slot name))
    (send-to context port value headers)))

(defun say-unwired (slot name)
  "The first time; out, where results go, is nobody's mistake."
  (unless (or (member name (slot-unwired-ports slot) :test #'string=)
              (>= (length (slot-unwired-ports slot)) +max-unwired-ports+))
    (push name (slot-unwired-ports slot))
    (log-text slot "unwired" name)))

(defun send-to (context port value headers)
  "Whoever is behind the port, a pipe, a module of this host or nobody: a value is refused for the same reasons."
  (let* ((buffer (turn-buffer (ctx-turn context))) (start (buffer-end buffer)) (index (ctx-count context)))
    (write-value value buffer 0)
    (let ((end (buffer-end buffer)))
      (incf (ctx-count context))
      (cond ((null port)
             (incf (ctx-unwired context))
             (setf (buffer-end buffer) start))
            (t (push (make-sent port start end
                                (and (port-targets port)
                                     (mapcar (lambda (target) (declare (ignore target)) (copy-value value))
                                             (port-targets port)))
                                headers index)
                     (ctx-outputs context))
               (incf (ctx-sent context))))
      (add-bytes context (- end start)))))

(defun check-headers (headers)
  "A module's own headers as they travel, NIL for none."
  (when (member headers '(nil :null)) (return-from check-headers nil))
  (unless (hash-table-p headers) (refuse 'header-error "headers are a hash table of strings, not ~s" headers))
  (maphash (lambda (name value)
             (unless (and (stringp name)
                          (or (string= name "client") (string= name "traceparent")
                              (and (> (length name) 1) (string= name "x-" :end1 2))))
               (refuse 'header-error "the header ~a cannot be sent" name))
             (unless (stringp value) (refuse 'header-error "the header ~a is not a string" name)))
           headers)
  (when (plusp (hash-table-count headers))
    (let ((text (encode headers)))
      (when (> (length text) +max-header-bytes+)
        (refuse 'header-error "headers of more than ~d bytes" +max-header-bytes+))
      (make-headers (copy-value headers) text))))

(defun header-text (sent context)
  "The octets of an output's headers, NIL for none."
  (let ((headers (sent-headers sent)))
    (cond ((port-ids (sent-port sent))
           (let ((table (if headers (copy-value (headers-table headers)) (make-hash-table :test 'equal))))
             (setf (gethash "id" table) (id-of-output context (sent-index sent)))
             (encode table)))
          (headers (headers-text headers)))))
