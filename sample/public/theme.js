/* The chosen theme, before the first paint. The dashboard has the same key, so one choice counts for both. */
{
  const KEY = 'task-dashboard-theme';
  const THEMES = ['auto', 'light', 'dark'];
  const names = { auto: 'as the system', light: 'light', dark: 'dark' };

  const chosen = () => {
    try {
      const theme = localStorage.getItem(KEY);
      return THEMES.includes(theme) ? theme : 'auto';
    } catch {
      return 'auto';
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen();
  };

  apply();
  addEventListener('storage', apply);
  addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const name = () => {
      button.querySelector('span').textContent = names[chosen()];
    };
    button.hidden = false;
    name();
    button.addEventListener('click', () => {
      localStorage.setItem(KEY, THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length]);
      apply();
      name();
    });
  });
}
