"""How the page looks, beside the theme."""

STYLE = """
.gradio-container{width:100%!important;min-width:0!important;max-width:960px!important;margin:0 auto!important}
.mg-step{display:flex;align-items:center;gap:.6rem;margin:1.1rem 0 .1rem;font-size:1.2rem;font-weight:600}
.mg-step b{display:inline-flex;width:1.8rem;height:1.8rem;border-radius:50%;align-items:center;
  justify-content:center;background:#0a7d74;color:#fff;font-size:1rem;flex:none}
.mg-lead{font-size:1.05rem;margin:0}
.mg-title{font-size:1.6rem;font-weight:700;margin:0}
.mg-note{color:var(--body-text-color-subdued);font-size:.9rem;margin:.2rem 0}
.mg-error{border-left:4px solid #c0392b;background:rgba(192,57,43,.09);padding:.6rem .8rem;border-radius:4px;
  overflow-wrap:anywhere}
.mg-warn{border-left:4px solid #c85200;background:rgba(200,82,0,.08);padding:.5rem .8rem;border-radius:4px;
  margin:.4rem 0}
.mg-track{height:.7rem;border-radius:.35rem;background:var(--border-color-primary);overflow:hidden;
  position:relative}
.mg-fill{height:100%;background:#0a7d74;border-radius:.35rem;transition:width .3s}
.mg-span{position:absolute;top:0;height:100%;background:#0a7d74;opacity:.3}
.mg-dot{position:absolute;top:0;width:4px;height:100%;background:#0a7d74}
.mg-said{font-size:1.3rem;font-weight:700;margin:.1rem 0 .5rem;overflow-wrap:anywhere}
.mg-bars{display:grid;grid-template-columns:minmax(5rem,auto) 1fr 3.2rem;gap:.3rem .6rem;align-items:center}
.mg-bars .name{overflow-wrap:anywhere}
.mg-bars .share{text-align:right;font-variant-numeric:tabular-nums}
.mg-why{margin:.2rem 0 0;padding:0;list-style:none}
.mg-why li{padding:.2rem 0;border-bottom:1px solid var(--border-color-primary)}
.mg-why .label{font-size:.85rem;color:#0a7d74;margin-left:.4rem}
.mg-why .against{color:#c85200}
.mg-maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));gap:1rem}
.mg-maps svg{width:100%;height:auto}
#mg-code,#mg-code *{min-width:0!important}
.mg-head{font-weight:600;margin:.7rem 0 .2rem}
#mg-top{align-items:center}
#mg-table *{font-family:inherit}
#mg-file{position:absolute;left:-9999px;height:0;overflow:hidden}
#mg-top .wrap{flex-wrap:nowrap}
@media (max-width:640px){
  #mg-top{flex-direction:column-reverse;align-items:stretch}
  #mg-top>*{min-width:0!important}
  .mg-title{font-size:1.3rem}
  .gradio-container{padding:8px!important}
}
.dark .mg-why .label{color:#3fd0c0}
.dark .mg-fill,.dark .mg-span,.dark .mg-dot{background:#3fd0c0}
"""
"""Rules of CSS; the colour is that of the pictures."""
