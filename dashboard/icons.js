// icons - the few drawings of the pages, 24 by 24, drawn with the colour of the text around them. They say nothing that
// the words beside them do not: hidden from screen readers.
const PATHS = {
  overview: ['M4 20V11', 'M10 20V4', 'M16 20v-6', 'M21 20H3'],
  keys: ['M14.5 9.5a4.5 4.5 0 1 0-3 4.24L13 15.5h2.5V18H18v2.5h3V17z', 'M9.5 9.5h.01'],
  activity: ['M3 12h4l3-8 4 16 3-8h4'],
  models: ['M12 3 4 7.5v9L12 21l8-4.5v-9z', 'M4 7.5 12 12l8-4.5', 'M12 12v9'],
  deposit: ['M12 3v12', 'm7 10 5 5 5-5', 'M4 20h16'],
  wallets: ['M4 7.5A2.5 2.5 0 0 1 6.5 5H18v3', 'M4 7.5V17a2.5 2.5 0 0 0 2.5 2.5H20V8H4.5', 'M16 13.75h.01'],
  errors: ['M12 4 2.5 20h19z', 'M12 10v4.5', 'M12 17.25h.01'],
  start: ['m8 8-5 4 5 4', 'm16 8 5 4-5 4', 'm13.5 5-3 14'],
  copy: ['M9 9h11v11H9z', 'M5 15H4V4h11v1'],
  check: ['m5 12.5 4.5 4.5L19 7.5'],
  close: ['m6 6 12 12', 'M18 6 6 18'],
  more: ['M5 12h.01', 'M12 12h.01', 'M19 12h.01'],
  menu: ['M4 7h16', 'M4 12h16', 'M4 17h16'],
  plus: ['M12 5v14', 'M5 12h14'],
  sun: ['M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8', 'M12 2.5v2', 'M12 19.5v2', 'M2.5 12h2', 'M19.5 12h2', 'm5.3 5.3 1.4 1.4', 'm17.3 17.3 1.4 1.4', 'm18.7 5.3-1.4 1.4', 'm6.7 17.3-1.4 1.4'],
  moon: ['M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5'],
  out: ['M10 4H5v16h5', 'M14 8l4 4-4 4', 'M18 12H9'],
  link: ['M14 4h6v6', 'M20 4 11 13', 'M18 14v6H4V6h6'],
  right: ['m9 6 6 6-6 6'],
  offline: ['M3 3l18 18', 'M5 12.5a10 10 0 0 1 4-2.4', 'M19 12.5a10 10 0 0 0-5-2.7', 'M8.5 16a5 5 0 0 1 6.5-.4', 'M12 19.5h.01'],
};
const SVG = 'http://www.w3.org/2000/svg';

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const attributes = { viewBox: '0 0 24 24', width: 20, height: 20, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true', focusable: 'false', class: 'icon' };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}
