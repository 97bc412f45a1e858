// What comes is shown by the page: see index.html.

export default (alarm) => {
  dispatchEvent(new CustomEvent('alarm', { detail: alarm }))
}
