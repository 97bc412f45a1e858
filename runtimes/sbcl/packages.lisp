;;;; The packages: FLOW is what a module sees, FLOW-HOST is this program. And the errors that a module can meet.

(defpackage :flow
  (:use)
  (:export #:context-get #:context-set #:context-delete #:context-keys #:context-send #:context-config
           #:context-headers #:context-port #:context-message-id #:context-redelivered #:context-module-id
           #:context-flow-id #:context-log #:make-source #:load-file
           #:flow-error #:data-error #:context-error #:port-error #:credit-error #:header-error #:load-error
           #:turn-too-large))

(defpackage :flow-host
  (:use :cl :flow)
  (:export #:main #:decode-octets #:encode-string))

(in-package :flow-host)

(defconstant +max-depth+ 120)
(defconstant +max-value-bytes+ (ash 1 20))
(defconstant +max-context-bytes+ (ash 64 20))
(defconstant +max-unwired-ports+ 64)
(defconstant +max-header-bytes+ 4096)
(defconstant +max-body-bytes+ (ash 64 20))

(deftype octet () '(unsigned-byte 8))
(deftype octets () '(simple-array (unsigned-byte 8) (*)))
(deftype index () '(integer 0 #.(ash most-positive-fixnum -2)))

;;; An error's type in an ERROR frame is the name of its condition; those of PROTOCOL.md have their names from here.
(define-condition flow-error (simple-error)
  ((name :initform nil :allocation :class :reader protocol-name)))

(macrolet ((define (symbol name text)
             `(define-condition ,symbol (flow-error)
                ((name :initform ,name :allocation :class))
                (:documentation ,text))))
  (define data-error "DataError" "A value that the data contract refuses.")
  (define context-error "ContextError" "A context key, value or size that is refused.")
  (define port-error "PortError" "A port that the module did not declare.")
  (define credit-error "CreditError" "A send outside a turn that cannot wait for credit.")
  (define header-error "HeaderError" "Headers that may not be sent.")
  (define load-error "LoadError" "A module that cannot be loaded for a reason other than its own error.")
  (define turn-too-large "TurnTooLarge" "A turn whose outputs and context changes exceed max_turn_bytes."))

(defun refuse (type control &rest arguments)
  (error type :format-control control :format-arguments arguments))
