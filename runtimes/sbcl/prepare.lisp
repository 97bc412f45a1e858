;;;; Makes an environment in the working directory: host.core, the host and the named systems in one image, and lock.json.
;;;; Reads {"dependencies": [...]} from standard input (docs/decisions/004). A dependency is an ASDF system: NAME,
;;;; NAME==VERSION, or NAME @ /ABSOLUTE/FOLDER.

(defpackage :flow-prepare (:use :cl))
(in-package :flow-prepare)

(defvar *source* (directory-namestring *load-truename*))
(defvar *parts* (merge-pathnames "parts/" (sb-ext:native-pathname (format nil "~a/" (sb-unix:posix-getcwd))))
  "Compiled files, removed in the end.")

(defun fail (control &rest arguments)
  (format *error-output* "~?~%" control arguments)
  (finish-output *error-output*)
  (sb-ext:exit :code 1 :abort t))

(defun load-host ()
  (ensure-directories-exist *parts*)
  (dolist (name (with-open-file (stream (concatenate 'string *source* "files.lisp")) (read stream)))
    (handler-bind ((sb-ext:compiler-note #'muffle-warning))
      (multiple-value-bind (output warnings failure)
          (let ((*compile-verbose* nil))
            (compile-file (format nil "~a~a.lisp" *source* name)
                          :output-file (merge-pathnames (format nil "~a.fasl" name) *parts*)))
        (declare (ignore warnings))
        (when (or failure (null output)) (fail "~a.lisp of the sbcl host cannot be compiled" name))
        (load output)))))

(defun call (package name &rest arguments)
  "A function of a package that this file was read without."
  (apply (find-symbol name package) arguments))

(defun read-request ()
  (let ((text (with-output-to-string (out)
                (loop for line = (read-line *standard-input* nil) while line do (write-line line out)))))
    (call :flow-host "DECODE" (sb-ext:string-to-octets text :external-format :utf-8))))

;;; ---------------------------------------------------------------- dependencies

(defun cut (text mark)
  "The parts before and behind a mark, trimmed; the second NIL without one."
  (let ((at (search mark text)))
    (flet ((trim (part) (string-trim " " part)))
      (values (trim (subseq text 0 at)) (and at (trim (subseq text (+ at (length mark)))))))))

(defun prepare-asdf (folders)
  (require :asdf)
  (let* ((cache (sb-ext:posix-getenv "RUNNER_CACHE"))
         (fasls (if cache (format nil "~a/tools/sbcl/" cache) (namestring *parts*))))
    (call :asdf "INITIALIZE-OUTPUT-TRANSLATIONS"
          `(:output-translations (t (,fasls :implementation :**/ :*.*.*)) :ignore-inherited-configuration))
    (call :asdf "INITIALIZE-SOURCE-REGISTRY"
          `(:source-registry ,@(loop for folder in folders collect `(:directory ,(format nil "~a/" folder)))
                             (:tree "/usr/share/common-lisp/source/") (:tree "/usr/share/common-lisp/systems/")
                             :inherit-configuration))))

(defun load-system (name version)
  "Load an ASDF system: NAME==VERSION as it was found."
  (format t "loading ~a~%" name)
  (finish-output)
  (let ((system (call :asdf "FIND-SYSTEM" name nil)))
    (unless system
      (fail "the ASDF system ~a was not found in /usr/share/common-lisp or a folder (NAME @ /FOLDER); ~
             Debian's are: apt-cache search '^cl-'" name))
    (let ((found (or (call :asdf "COMPONENT-VERSION" system) "0")))
      (when (and version (string/= version found)) (fail "~a==~a was asked for, there is ~a" name version found))
      (handler-case (handler-bind ((warning #'muffle-warning))
                      (let ((*standard-output* (make-broadcast-stream)) (*error-output* (make-broadcast-stream)))
                        (call :asdf "LOAD-SYSTEM" name)))
        (error (condition) (fail "~a cannot be loaded: ~a" name condition)))
      (format nil "~a==~a" name found))))

(defun load-dependencies (specs)
  (when specs
    (prepare-asdf (loop for spec in specs for folder = (nth-value 1 (cut spec "@")) when folder collect folder))
    (loop for spec in specs
          collect (multiple-value-bind (name version) (cut (cut spec "@") "==") (load-system name version)))))

;;; ---------------------------------------------------------------- the image

(load-host)
(let ((locked (load-dependencies (coerce (gethash "dependencies" (read-request) #()) 'list))))
  (with-open-file (stream "lock.json" :direction :output :external-format :utf-8)
    (write-line (sb-ext:octets-to-string
                 (call :flow-host "ENCODE" (call :flow-host "OBJECT" "locked" (coerce locked 'vector)))
                 :external-format :utf-8)
                stream)))
(sb-ext:delete-directory *parts* :recursive t)
(format t "saving the image~%")
(finish-output)
(sb-ext:disable-debugger)
(sb-ext:lock-package :flow)
(sb-ext:lock-package :flow-host)
(sb-ext:save-lisp-and-die "host.core" :toplevel (find-symbol "MAIN" :flow-host))
