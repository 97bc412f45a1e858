// What the core needs of the place where it runs, and has nowhere else: a page's Worker or node gives it by use(), before any other file
// of the core is loaded. All that both have by themselves (TextDecoder, performance, console, Promise) is used as it is.

/**
 * bytes       {alloc(size), write(bytes, text, at), writeAscii(bytes, text, at), text(bytes, start, end), byteLength(text), base64(bytes), fromBase64(text)}: a Uint8Array or a
 *             subclass of it, and text in UTF-8. alloc() may leave in it what was there; write() gives the number of bytes;
 *             text() puts U+FFFD in the place of what is no UTF-8 and keeps a byte order mark; fromBase64() of what is none gives any bytes.
 * defer       (task): runs it when input that is there has been taken in, as setImmediate does
 * random      (): a text that nobody can guess
 * runAs       (slot, code, ...arguments): the result; what the code does later, in promises too, is done for the slot
 * running     (): the slot of runAs() whose code runs, or null where that cannot be known
 * exit        (status, why = ''): ends the host at once and does not come back; `why` is for people
 * format      (values): the text that console.log makes of them
 * inspect     (thrown): the text of a thing that was thrown instead of an error
 * hint        (error): what to do about an error of the place itself, or ''
 * isOwnFrame  (line): whether a line of a stack is of the host's own files
 */
export const platform = {}

export function use(place) { Object.assign(platform, place) }
