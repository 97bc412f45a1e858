;;;; When turns begin and when they are committed: takes in the frames that have come, then works for at most 10 ms.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defconstant +slice-us+ 10000)
(defconstant +turns-in-a-row+ 128)

(sb-ext:defglobal *ready* (make-queue)) ; slots that may have something to do

(defun wake (slot)
  (unless (slot-queued slot)
    (setf (slot-queued slot) t)
    (enqueue slot *ready*)))

(defun work-left-p () (and (queue-head *ready*) t))

(defun run-next (slot)
  "Begin and end what is next in a slot; false when there is nothing."
  (cond ((slot-gone slot) nil)
        ((queue-head (slot-calls slot)) (destructuring-bind (request . spec) (dequeue (slot-calls slot))
                                          (run-call slot request spec))
         t)
        ((queue-head (slot-batches slot)) (run-message slot (first (queue-head (slot-batches slot))))
         t)))

(defun work ()
  "Turns until there are none left, or for a slice."
  (setf *now* (now-us))
  (let ((end (+ *now* +slice-us+)))
    (loop while (work-left-p) do
      (let ((slot (dequeue *ready*)))
        (setf (slot-queued slot) nil)
        (loop repeat +turns-in-a-row+
              while (run-next slot)
              do (when (>= *now* end)
                   (wake slot)
                   (commit)
                   (return-from work)))
        (when (or (queue-head (slot-calls slot)) (queue-head (slot-batches slot))) (wake slot))))))

;;; ---------------------------------------------------------------- frames

(defun slot-of (frame)
  (or (gethash (frame-slot frame) *slots*)
      (error "frame ~d for slot ~d, which is not loaded" (frame-kind frame) (frame-slot frame))))

(defun take-frame (frame)
  (case (frame-kind frame)
    (#.+data+ (take-data frame))
    (#.+pull+ (incf (slot-credit (slot-of frame)) (frame-count frame))
     (more-credit))
    (#.+pause+ (pause (frame-slot frame) (frame-first frame)))
    (#.+load+ (load-slot (frame-slot frame) (frame-first frame) (decode-control (frame-body frame))))
    (#.+unload+ (unload-slot (frame-slot frame) (frame-first frame)))
    (#.+wires+ (wire-slot (slot-of frame) (decode (frame-body frame))))
    (#.+call+ (let ((slot (slot-of frame)))
                (enqueue (cons (frame-first frame) (decode-control (frame-body frame))) (slot-calls slot))
                (wake slot)))
    (#.+stop+ (commit)
     (c-exit 0))
    (#.+ping+ (send-frame *output* +pong+ :first (frame-first frame))
     (flush *output*))))

(defun take-data (frame)
  (destructuring-bind (slot port wire) (or (gethash (frame-slot frame) *channels*)
                                           (error "DATA on channel ~d, which has no wire" (frame-slot frame)))
    (unless (or (zerop (frame-count frame)) (slot-held slot))
      (enqueue (open-batch frame port wire) (slot-batches slot))
      (wake slot))))

(defun pause (number request)
  (cond ((= number +none+) (maphash (lambda (number slot) (declare (ignore number)) (forget-input slot)) *slots*))
        (t (let ((slot (gethash number *slots*))) (when slot (forget-input slot)))))
  (commit)
  (send-frame *output* +paused+ :slot number :first request)
  (flush *output*))

;;; ---------------------------------------------------------------- the loop

(defun take-lock ()
  (setf *engine-waits-since* (now-us))
  (sb-thread:grab-mutex *lock*)
  (setf *engine-waits-since* nil))

(defun leave-lock (again)
  "Let others have the lock; AGAIN says that the engine will want it at once."
  (sb-thread:release-mutex *lock*)
  (when again
    (loop repeat 1000
          until (or (zerop *waiting*) (sb-thread:mutex-owner *lock*))
          do (sb-thread:thread-yield))))

(defun run-engine (input)
  (let ((drained (make-octets 8)))
    (take-lock)
    (loop
      (multiple-value-bind (frames woken) (wait-readable (input-fd input) *wake-fd* 0)
        (unless (or frames woken (work-left-p))
          (commit)
          (leave-lock nil)
          (setf (values frames woken) (wait-readable (input-fd input) *wake-fd* -1))
          (take-lock))
        (when woken
          (read-some *wake-fd* drained 0 8)
          (setf *awake* nil))
        (when frames
          (read-input input)
          (loop for frame = (next-frame input) while frame do (take-frame frame))))
      (work)
      (when (and (not (transaction-empty-p)) (> (- *now* (transaction-begun-us *transaction*)) +commit-us+)) (commit))
      (when (plusp *waiting*)
        (leave-lock t)
        (take-lock)))))
