// What comes is drawn by the page: see page.js.

export default (reading) => {
  dispatchEvent(new CustomEvent('reading', { detail: reading }))
}
