;;;; A module's text to its functions. Each load has a package of its own, so nothing is shared between loads.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defparameter *hooks* '("start" "stop" "migrate"))
(defparameter *policy* '(optimize (speed 1) (safety 1) (debug 1)) "How modules are compiled.")

(defvar *code* nil "What is being loaded in this thread.")

;;; What makes a load fail; carries where.
(define-condition load-failed (error)
  ((failure :initarg :failure :reader load-failure)))

(defun load-failed (type message unit offset)
  (let ((failure (make-failure :type type :message message :file (unit-file unit))))
    (when offset (locate failure (unit-text unit) offset))
    (error 'load-failed :failure failure)))

(sb-ext:defglobal *load-count* 0)

(defparameter *shapes* '(("run" . "(message context)") ("start" . "(context)") ("stop" . "(context)")
                         ("migrate" . "(context from-version)")))

(defun load-code (code)
  "Compile and run a module's text: its handler and its hooks."
  (let* ((number (incf *load-count*))
         (package (make-package (format nil "MODULE-~d" number) :use '(:cl :flow)))
         (*code* code)
         (*package* package)
         (last nil))
    (setf (code-package code) package
          (code-folder code) (format nil "~a/.modules/~d/" (sb-unix:posix-getcwd) number))
    (maphash (lambda (name text) (place-file code name text)) (code-files code))
    (place-file code (code-name code) (code-text code))
    (setf last (load-text (code-name code) (code-text code)))
    (flet ((find-function (name)
             (dolist (place (list package *package*))
               (multiple-value-bind (symbol status) (find-symbol (string-upcase name) place)
                 (when (and (member status '(:internal :external)) (fboundp symbol) (not (macro-function symbol)))
                   (return (fdefinition symbol)))))))
      (let ((handler (or (find-function "run") (and (functionp last) last)))
            (hooks (loop for hook in *hooks*
                         for function = (find-function hook)
                         when function collect (cons hook function))))
        (unless (or handler (assoc "start" hooks :test #'string=))
          (refuse 'load-error "the module has no handler: end it with (lambda (message context) ...) or define run"))
        (loop for (name . function) in (acons "run" handler hooks) when function do (check-shape name function))
        (values handler hooks)))))

(defun check-shape (name function)
  "Refuse a function that no call of the host fits; of a generic one only a call says."
  (let* ((shape (cdr (assoc name *shapes* :test #'string=)))
         (given (1+ (count #\Space shape)))
         (takes (if (typep function 'generic-function) '(&rest any) (sb-kernel:%fun-lambda-list function)))
         (least (or (position-if (lambda (one) (member one lambda-list-keywords)) takes) (length takes)))
         (optional (rest (member '&optional takes)))
         (most (+ least (or (position-if (lambda (one) (member one lambda-list-keywords)) optional) (length optional)))))
    (unless (and (<= least given) (or (<= given most) (intersection '(&rest &key) takes)))
      (refuse 'load-error "~a is called with ~a, but takes ~:[()~;~:*~(~a~)~]" name shape takes))))

(defun place-file (code name text)
  "The files of a module lie beside each other in a folder of its own."
  (when (search "../" name) (refuse 'load-error "the file ~a is not beside the module" name))
  (let ((path (path-of code name)))
    (ensure-directories-exist path)
    (with-open-file (out path :direction :output :if-exists :supersede :element-type 'octet)
      (write-sequence (encode-text text) out))))

(defun path-of (code name)
  (sb-ext:parse-native-namestring (concatenate 'string (code-folder code) name)))

(defun unload-code (code)
  (when (and code (code-package code) (find-package (code-package code)))
    (ignore-errors (sb-ext:delete-directory (path-of code "") :recursive t))
    (ignore-errors (delete-package (code-package code)))))

(defun load-file (name)
  "Load a sibling, one of the module's files, into the module's package."
  (let* ((code (or *code* (and *running* (slot-code *running*))))
         (text (and code (gethash name (code-files code)))))
    (unless text (refuse 'load-error "there is no file ~a beside the module: name it in its `files:`" name))
    (let ((*code* code) (*package* *package*)) (load-text name text))
    t))

;;; ---------------------------------------------------------------- reading

(defvar *prints* nil "Where the module's own errors go while it is loaded.")
(defvar *unit* nil "What is being read.")
(defvar *depth* 0)
(defvar *outermost* nil "Where the form that is being read begins.")

(defun read-list (stream char)
  "What the standard reader does, noting where each list begins in the text that is loaded."
  (flet ((list-of-reader () (funcall (load-time-value (get-macro-character #\( (copy-readtable nil))) stream char)))
    (unless *unit* (return-from read-list (list-of-reader))) ; the module itself reads something
    (let ((offset (1- (file-position stream))))
      (when (zerop *depth*) (setf *outermost* offset))
      (let ((form (let ((*depth* (1+ *depth*))) (list-of-reader))))
        (when (consp form) (setf (gethash form (unit-places *unit*)) (cons *unit* offset)))
        form))))

(defun module-readtable ()
  (let ((table (copy-readtable nil)))
    (set-macro-character #\( 'read-list nil table)
    table))

(defun load-text (file text)
  "Read, compile and run a text form by form; the value of the last one."
  (let ((stream (make-string-input-stream text))
        (unit (make-unit :file file :text text :code *code* :places (code-places *code*)))
        (*load-truename* (path-of *code* file))
        (*load-pathname* (path-of *code* file))
        (*readtable* (module-readtable))
        (*read-base* 10)
        (*read-default-float-format* 'double-float)
        (value nil))
    (handler-bind ((warning #'report-warning))
      (let* ((*prints* *error-output*)
             (*error-output* (make-broadcast-stream))) ; the compiler's summary
        (with-compilation-unit (:override t :policy *policy*)
          (loop
            (let ((form (read-form stream unit)))
              (when (eq form stream) (return value))
              (setf value (run-form form unit)))))))))

(defun read-form (stream unit)
  "The next form; the stream itself at the end."
  (let ((*unit* unit) (*depth* 0) (*outermost* nil))
    (flet ((fail (text offset) (load-failed "SyntaxError" text unit offset)))
      (handler-bind ((end-of-file
                       (lambda (condition)
                         (declare (ignore condition))
                         (fail "the text ends inside the form that begins here"
                               (or *outermost* (length (unit-text unit))))))
                     (reader-error
                       (lambda (condition)
                         (fail (read-problem condition)
                               (max 0 (1- (min (file-position stream) (length (unit-text unit)))))))))
        (read stream nil stream)))))

(defun read-problem (condition)
  "What is wrong, without what follows about the stream."
  (let ((text (unqualified (show condition) *code*)))
    (format nil "~a~@[; ~a~]" (string-trim '(#\Space #\Newline) (subseq text 0 (search "Line: " text))) (hint condition))))

;;; ---------------------------------------------------------------- compiling

(defun run-form (form unit)
  "Compile and run a top-level form; forms that are top-level inside it one by one, as they may define macros."
  (typecase form
    (symbol (symbol-value form))
    (atom form)
    (t (case (first form)
         (progn (run-forms (rest form) unit))
         (eval-when (when (intersection (second form) '(:execute eval :load-toplevel load))
                      (run-forms (cddr form) unit)))
         (t (let ((expansion (if (own-macro-p (first form)) (macroexpand-1 form) form)))
              (if (and (consp expansion) (eq (first expansion) 'progn))
                  (run-forms (rest expansion) unit)
                  (compile-form form unit))))))))

(defun run-forms (forms unit)
  (let ((value nil))
    (dolist (form forms value) (setf value (run-form form unit)))))

(defun own-macro-p (name)
  "Whether a macro is no part of the language, whose expansions are its own business."
  (and (symbolp name) (macro-function name) (not (eq (symbol-package name) (find-package :cl)))))

(defun compile-form (form text-unit)
  (let* ((unit (copy-unit text-unit))
         (function
           (handler-bind ((sb-c:compiler-error
                            (lambda (condition)
                              (load-failed "SyntaxError" (unqualified (show condition) *code*) text-unit
                                           (nth-value 1 (compiler-place (unit-form unit) unit))))))
             (setf (unit-form unit) `(lambda () ,form))
             (with-compilation-unit (:source-plist (list :flow-unit unit))
               (compile nil (unit-form unit))))))
    (let ((*form-place* (list unit (cdr (gethash form (unit-places unit)))))
          (*error-output* *prints*))
      (funcall function))))

(defun compiler-place (&optional form unit)
  "Unit and offset of what the compiler looks at; at least of FORM."
  (let* ((context (ignore-errors (sb-c::find-error-context nil)))
         (place (and context
                     (gethash (sb-c::compiler-error-context-original-form context) (code-places *code*)))))
    (cond (place (values (car place) (cdr place)))
          (form (values unit
                        (or (and context
                                 (ignore-errors
                                  (offset-at unit (sb-c::compiler-error-context-original-source-path context))))
                            (cdr (gethash (third form) (code-places *code*)))))))))

(defun report-warning (condition)
  "Real warnings, and functions that are not there, are worth a line in the log; matters of style are not."
  (let ((text (unqualified (show condition) *code*)))
    (when (or (not (typep condition 'style-warning)) (search "undefined function" text))
      (multiple-value-bind (unit offset) (compiler-place)
        (funcall (code-log *code*)
                 (format nil "~@[~a~]~@[:~d~]~:*~:[~;: ~]~a" (and unit (unit-file unit))
                         (and offset (position-of (unit-text unit) offset)) text))))
    (muffle-warning condition)))
