// theme - before the first paint: the reader's choice of light or dark, where there is one. Not a module, so that it
// runs while the head is read.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem('theme');
  } catch {
    // storage may be closed to us: the system's choice it is
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
