// The slider of this page, and what another page has set.

const slider = () => document.querySelector('#readings')

export function start(context) {
  slider().onchange = () => context.send('out', { readings: Number(slider().value) })
}

export function stop() {
  slider().onchange = null
}

export default ({ readings }) => {
  slider().value = readings
  slider().dispatchEvent(new Event('input'))
}
