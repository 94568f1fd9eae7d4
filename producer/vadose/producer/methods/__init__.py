"""The methods, one module each, behind the contract of `base`."""

from vadose.producer.methods.atlstm import AtLstm, AtLstmWindow
from vadose.producer.methods.base import Block, Inputs, Method, Model, Prediction, Settings
from vadose.producer.methods.baselines import CellMean, Climatology, Persistence
from vadose.producer.methods.bilstm import BiLstm
from vadose.producer.methods.blend import Blend
from vadose.producer.methods.bucket import Bucket
from vadose.producer.methods.choice import chosen_method, method_settings
from vadose.producer.methods.dctpls import DctPls
from vadose.producer.methods.described import ForestDescriptors, XgboostDescriptors
from vadose.producer.methods.downscale import Downscale
from vadose.producer.methods.drcgan import Drcgan
from vadose.producer.methods.filling import ClimatologyAnomaly, LinearInTime
from vadose.producer.methods.forest import Forest
from vadose.producer.methods.landmodel import LandModelBiasCorrected
from vadose.producer.methods.linear import Ridge
from vadose.producer.methods.lstm import Lstm
from vadose.producer.methods.matching import CdfMatching
from vadose.producer.methods.mlstm import Mlstm
from vadose.producer.methods.resautonet import ResAutoNet
from vadose.producer.methods.tcmerge import TcMerge
from vadose.producer.methods.transformer import TransformerMethod
from vadose.producer.methods.trees import Xgboost, XgboostNowcast1, XgboostNowcast3
from vadose.producer.methods.tssmnet import SmNet, TsSmNet, TsSmNetNowcast

METHODS: tuple[Method, ...] = (
    AtLstm(),
    Lstm(),
    AtLstmWindow(),
    BiLstm(),
    TransformerMethod(),
    Xgboost(),
    Ridge(),
    CellMean(),
    Climatology(),
    Persistence(),
    TcMerge(),
    Downscale(),
    Mlstm(),
    CdfMatching(),
    LandModelBiasCorrected(),
    Drcgan(),
    TsSmNet(),
    SmNet(),
    ResAutoNet(),
    TsSmNetNowcast(),
    XgboostDescriptors(),
    ForestDescriptors(),
    Bucket(),
    Forest(),
    XgboostNowcast1(),
    XgboostNowcast3(),
    LinearInTime(),
    ClimatologyAnomaly(),
    DctPls(),
    Blend(),
)


def method(name: str) -> Method:
    """The method called `name`; an unknown name is a `UsageError` that lists the known ones."""
    return chosen_method(name, METHODS)


__all__ = ["METHODS", "Block", "Inputs", "Method", "Model", "Prediction", "Settings", "method", "method_settings"]
