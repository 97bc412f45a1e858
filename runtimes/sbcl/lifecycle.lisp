;;;; LOAD, UNLOAD, WIRES and CALL: what happens to a slot between turns.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(sb-ext:defglobal *channels* (make-hash-table)) ; of the host's input: (slot port wire)

(defun answer (slot request result)
  (send-frame *output* +result+ :slot slot :first request :parts (list (encode result)))
  (flush *output*))

(defun refusal (failure)
  (object "ok" nil "error" (failure-object failure)))

(defun base-name (name)
  (subseq name (1+ (or (position #\/ name :from-end t) -1))))

;;; ---------------------------------------------------------------- load

(defun load-slot (number request spec)
  (flet ((field (name) (gethash name spec)))
    (let* ((ports (field "ports"))
           (slot (make-slot :number number :flow (field "flow") :module (field "module") :config (field "config")
                            :out-names (if (hash-table-p ports)
                                           (cons "error" (coerce (gethash "out" ports) 'list))
                                           t)
                            :concurrency (max 1 (field "concurrency")) :retry (field "retry")
                            :max-turn-bytes (field "max_turn_bytes")))
           (code (make-code :name (base-name (field "name")) :text (field "code") :files (field "files")
                            :log (lambda (text) (log-text slot "warning" text))))
           (failure nil) (hooks '()))
      (setf (slot-code slot) code
            failure (guarded (slot)
                      (set-context slot (field "context"))
                      (handler-bind ((load-failed
                                       (lambda (condition) (return-from guarded (load-failure condition)))))
                        (setf (values (slot-handler slot) hooks) (load-code code)))))
      (cond (failure (unload-code code)
                     (answer number request (refusal failure)))
            (t (setf (slot-hooks slot) hooks
                     (gethash number *slots*) slot)
               (answer number request (object "ok" t "hooks" (map 'vector #'car hooks))))))))

(defun unload-slot (number request)
  (let ((slot (gethash number *slots*)))
    (when slot
      (commit)
      (setf (slot-gone slot) t)
      (end-source slot)
      (more-credit)
      (forget-input slot)
      (remhash number *slots*)
      (forget-channels slot)
      (unload-code (slot-code slot)))
    (answer number request (object "ok" t))))

;;; ---------------------------------------------------------------- wires

(defun forget-channels (slot)
  (maphash (lambda (channel input) (when (eq (first input) slot) (remhash channel *channels*))) *channels*))

(defun wire-slot (slot spec)
  (commit) ; what was sent was sent by the old wires
  (forget-channels slot)
  (maphash (lambda (channel input)
             (setf (gethash (parse-integer channel) *channels*) (list slot (svref input 0) (svref input 1))))
           (gethash "in" spec))
  (let ((out (make-hash-table :test 'equal)))
    (maphash (lambda (name wired)
               (let ((channel (gethash "channel" wired)))
                 (setf (gethash name out)
                       (make-port :name name :channel (if (eq channel :null) nil channel)
                                  :ids (gethash "ids" wired)
                                  :targets (map 'list
                                                (lambda (target)
                                                  (cons (or (gethash (svref target 0) *slots*)
                                                            (error "WIRES: slot ~d is not loaded" (svref target 0)))
                                                        (svref target 1)))
                                                (gethash "fused" wired))))))
             (gethash "out" spec))
    (setf (slot-out slot) out
          (slot-out-port slot) (gethash "out" out))))

;;; ---------------------------------------------------------------- hooks

(defun run-call (slot request spec)
  (flet ((field (name) (gethash name spec)))
    (let ((hook (field "hook")))
      (unless (string= hook "migrate") (end-source slot))
      (when (hash-table-p (field "context")) (set-context slot (field "context")))
      (when (string= hook "start") (setf (slot-turn-number slot) (field "turns")))
      (let ((function (cdr (assoc hook (slot-hooks slot) :test #'string=))))
        (multiple-value-bind (failure source)
            (and function (run-hook slot hook function (and (string= hook "migrate") (list (field "from_version")))))
          (commit)
          (answer (slot-number slot) request
                  (if failure (refusal failure) (object "ok" t "source" (and source t)))))))))

(defun run-hook (slot hook function arguments)
  "A hook's turn: its failure, and whether it has begun a source."
  (let* ((turn (new-turn slot)) (context (name-turn turn hook nil)) (result nil)
         (failure (guarded (slot)
                    (setf result (apply function context arguments))
                    (check-bytes context))))
    (setf (turn-quiet turn) t
          (ctx-over context) t)
    (tick slot)
    (unless failure
      (take turn context)
      (spread turn context)
      (merge-turn turn))
    (clear-turn turn)
    (setf *spare* turn)
    (cond (failure failure)
          ((and (string= hook "start") (source-p result))
           (begin-source result slot context)
           (values nil t)))))
