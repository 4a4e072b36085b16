"""Means of subsets as Markdown, by hand."""

from pathlib import Path

from analysis.subsets import read, render

HEAD = (
    "source,dataset,corruption,eta,detector,loss,parameter,value,delay,metric,mean,std,seeds,decimals,block,"
    "config_id,variant,model,epochs,batch_size,learning_rate,input_scale,commit,hardware,command"
)
TAIL = "small-cnn,10,64,{rate},unit,abc,one thread of Some CPU,noisebench run sweeps/s.yaml --data DIR"
CL, LOOSE = "uniform,0.2,confident-learning", "uniform,0.2,small-loss"
MEASURED = f"""{HEAD}
s,MNIST:3000,{CL},CE,,,0,balanced_accuracy,0.95,0.003,2,4,a,1,{{}},{TAIL.format(rate=0.0003)}
s,MNIST:3000,{CL},CE,,,0,f1,0.93,0.0021,2,4,a,1,{{}},{TAIL.format(rate=0.0003)}
s,MNIST:3000,{CL},BL,gamma,0.5,2,f1,0.91,0.004,2,4,a,2,{{}},{TAIL.format(rate=0.001)}
s,MNIST:3000,{LOOSE},BL,gamma,0.1,0,f1,0.37,,1,4,b,3,"{{""form"":""printed""}}",{TAIL.format(rate=0.001)}
"""
PUBLISHED = f"""{",".join(HEAD.split(",")[:14])}
table1,MNIST,{CL},CE,,,0,f1,0.975,0.001,20,3
table2,MNIST,{CL},CE,,,0,balanced_accuracy,0.981,0.001,20,3
table1,MNIST,{CL},BL,gamma,0.4,0,f1,0.984,0.001,20,3
"""
RENDERED = """\
### s: a

`noisebench run sweeps/s.yaml --data DIR`, commit abc, one thread of Some CPU.

| data | rate | loss | learning rate | F1 | published | balanced accuracy | published |
| --- | --- | --- | --- | --- | --- | --- | --- |
| MNIST:3000 | 0.2 | CE | 0.0003 | 0.930 ± 0.002 | 0.975 ± 0.001 | 0.950 ± 0.003 | 0.981 ± 0.001 |
| MNIST:3000 | 0.2 | BL 0.5, delay 2 | 0.001 | 0.910 ± 0.004 | 0.984 ± 0.001 (0.4) |  |  |

### s: b

`noisebench run sweeps/s.yaml --data DIR`, commit abc, one thread of Some CPU.

| data | rate | loss | F1 |
| --- | --- | --- | --- |
| MNIST:3000 | 0.2 | BL 0.1 form:printed | 0.370 |
"""


def test_measured_means_are_rendered_beside_the_published_ones(tmp_path: Path) -> None:
    measured, published = tmp_path / "measured.csv", tmp_path / "published.csv"
    measured.write_text(MEASURED, encoding="utf-8")
    published.write_text(PUBLISHED, encoding="utf-8")
    assert render(read(measured), read(published)) == RENDERED
