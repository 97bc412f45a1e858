// What an object is by birth, whatever its prototype says and whatever realm it is from.

const { getOwnPropertyDescriptor, getPrototypeOf } = Object
const getter = (prototype, name) => getOwnPropertyDescriptor(prototype, name).get
const typedArrayName = getter(getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
const BUFFERS = [ArrayBuffer, globalThis.SharedArrayBuffer].filter(Boolean).map((kind) => getter(kind.prototype, 'byteLength'))
const BOXES = [Number, String, Boolean, BigInt, Symbol].map((kind) => kind.prototype.valueOf)
const { getTime } = Date.prototype
const setSize = getter(Set.prototype, 'size')
const { toString } = Object.prototype

const accepts = (method, value) => {
  try {
    method.call(value)
    return true
  } catch {
    return false
  }
}

export const isUint8Array = (value) => typedArrayName.call(value) === 'Uint8Array'
export const isDate = (value) => accepts(getTime, value)
export const isSet = (value) => accepts(setSize, value)
export const isAnyBuffer = (value) => BUFFERS.some((size) => accepts(size, value))
export const isBoxed = (value) => BOXES.some((valueOf) => accepts(valueOf, value))
export const isError = Error.isError ?? ((value) => value instanceof Error || toString.call(value) === '[object Error]')
