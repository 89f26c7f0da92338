// Before anything is painted: the theme that was chosen here.
(function () {
  try {
    var theme = localStorage.getItem("flowspec.theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch (error) {
    // Storage is forbidden; the system's theme is used.
  }
})();
